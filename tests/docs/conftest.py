"""What the pages are run against: the demo's own tenants, served by real processes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chimeway_py.demo.seed import seed
from chimeway_py.embedded.mailbox import Mailbox
from tests.fleet import Workers


@pytest.fixture
def reader(
    web_server: str,
    worker_processes: Workers,
    smtp_sink: Mailbox,
    tmp_path: Path,
    known_secrets: dict[str, object],
    settings: Any,
) -> Mapping[str, str]:
    """The environment of a reader who filled in what `bin/demo` printed for the tenant acme."""
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]
    known_secrets |= seed(known_secrets, "http://127.0.0.1:9999")
    acme = known_secrets["tenants"][0]  # type: ignore[index]
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "URL": web_server,
        "KEY": acme["api_key"],
        "HOOK": f"{web_server}/hooks/{acme['source']}",
        "SECRET": acme["secret"],
    }


@pytest.fixture(scope="session")
def known_secrets() -> dict[str, object]:
    """What was seeded before in this session, so that keys stay the same."""
    return {}
