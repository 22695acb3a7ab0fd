"""A stand on the servers of the session, and the options of a benchmark at the smallest size."""

import argparse
import os
from collections.abc import Callable, Iterator

import pytest

from benchmarks.__main__ import parse
from benchmarks.stand import Stand
from tests.fleet import NEARBY, Workers
from tests.plugin import Servers

Options = Callable[..., argparse.Namespace]


@pytest.fixture(scope="module")
def stand(servers: Servers, _workers: Workers) -> Iterator[Stand]:
    """The servers of the session; `_workers` took away what other tests left due."""
    stand = Stand(servers.postgres, servers.broker, {**os.environ, **NEARBY}, servers.folder / "bench-logs")
    yield stand
    stand.fleet.stop()


@pytest.fixture
def options() -> Options:
    """`options("park_resume", "--runs", "20")`: what the command line gives, quick by default."""
    return lambda name, *arguments: parse([name, "--quick", *arguments])[1]
