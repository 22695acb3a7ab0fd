"""A worker that hears nothing leaves; a sweeper works when nobody else does."""

import time

import pytest

from chimeway_py import nudges, watchdog
from chimeway_py.celery import app
from tenants.models import Tenant
from tests.fleet import Workers
from tests.journeys import GRACE, paid, publish, run_of, start
from workflows.services.sweeping import Sweeper


def test_a_deaf_worker_leaves_with_a_code_that_asks_for_a_restart(worker_processes: Workers) -> None:
    [name] = [name for answer in app.control.ping() or [] for name in answer if name.startswith("engine@")]
    for queue in ("engine", "sweep"):
        app.control.cancel_consumer(queue, destination=[name], reply=True)

    deadline = time.monotonic() + 3 * watchdog.DEAF_AFTER
    while worker_processes.engine.is_running and time.monotonic() < deadline:
        time.sleep(0.1)

    assert worker_processes.engine.exit_code == watchdog.EXIT_CODE


def test_a_sweeper_does_what_nobody_takes(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nudges, "offer", lambda *_: None)
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    paid(tenant)
    sweeper = Sweeper(patience=0.2)

    sweeper.sweep()
    assert run_of(tenant, run_id).state == "pending", "first it gives the workers a chance"
    time.sleep(0.3)
    sweeper.sweep()

    assert run_of(tenant, run_id).state == "completed"
