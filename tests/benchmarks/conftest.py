"""A stand on the servers of the session, and benchmarks at the smallest size."""

import os
from collections.abc import Callable, Iterator

import pytest

from benchmarks.__main__ import benchmark, parse
from benchmarks.report import Report
from benchmarks.stand import Stand
from tests.fleet import NEARBY, Workers
from tests.plugin import Servers

Measure = Callable[..., Report]


@pytest.fixture(scope="module")
def stand(servers: Servers, _workers: Workers) -> Iterator[Stand]:
    """The servers of the session; `_workers` took away what other tests left due."""
    logs = servers.folder / "bench-logs"
    stand = Stand(servers.postgres, servers.broker, servers.mailbox, {**os.environ, **NEARBY}, logs)
    end, stand.fleet.stop = stand.fleet.stop, lambda: None  # type: ignore[method-assign]  # starting takes seconds
    yield stand
    end()


@pytest.fixture(scope="module")
def measure(stand: Stand) -> Measure:
    """`measure("park_resume", "--runs", "20")`: the report of a benchmark, quick where nothing else is said."""

    def run(name: str, *arguments: str) -> Report:
        found = benchmark(name).run(stand, parse([name, "--quick", *arguments])[1])
        assert isinstance(found, Report)
        return found

    return run
