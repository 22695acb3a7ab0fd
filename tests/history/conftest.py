"""Long traces, and a hand that changes rows behind the service's back."""

from collections.abc import Callable
from typing import Any

import pytest

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tests.journeys import drain, run_of, send, waiting_run
from tests.trace.tampering import Victim
from tests.workflows.conftest import probe  # noqa: F401  a fixture of these tests, too

NAGGING: dict[str, Any] = {
    "key": "nagging",
    "steps": [
        {
            "key": "rest",
            "kind": "wait",
            "for": "P9D",
            "signals": [{"name": "nag", "when": {"path": "signal.data.ok", "eq": True}, "then": "complete"}],
        }
    ],
}


@pytest.fixture
def long_run(tenant: Tenant) -> Callable[[int], int]:
    """`long_run(n)` is a waiting run whose trace has n lines more than most: signals that its condition refused."""

    def make(lines: int) -> int:
        run_id = waiting_run(tenant, NAGGING, correlation={})
        nag(tenant, lines)
        assert run_of(tenant, run_id).seq > lines
        return run_id

    return make


def nag(tenant: Tenant, times: int) -> None:
    """Signals that the condition of `NAGGING` refuses: a line each."""
    for _ in range(times):
        send(tenant, "nag", subject="ada", data={"ok": False})
    drain(tenant)


@pytest.fixture
def victim(tenant: Tenant, postgres: Postgres) -> Victim:
    """A finished run with a trace of five lines, its neighbour, and a superuser's hand."""
    return Victim(tenant, postgres)
