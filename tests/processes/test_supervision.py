"""A worker that hears nothing leaves; a sweeper works when nobody else does."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from chimeway_py import nudges, watchdog
from chimeway_py.celery import app
from chimeway_py.demo.supervisor import Supervisor
from chimeway_py.embedded.processes import Child
from tenants.models import Tenant
from tests.faults.chaos import pool_of
from tests.fleet import Workers
from tests.journeys import GRACE, paid, publish, run_of, start
from workflows.services.sweeping import Sweeper

STUCK_AFTER, SLACK = 2.0, 10.0  # seconds


def test_a_deaf_worker_leaves_with_a_code_that_asks_for_a_restart(worker_processes: Workers) -> None:
    [name] = [name for answer in app.control.ping() or [] for name in answer if name.startswith("engine@")]
    for queue in ("engine", "sweep"):
        app.control.cancel_consumer(queue, destination=[name], reply=True)

    deadline = time.monotonic() + 3 * watchdog.DEAF_AFTER
    while worker_processes.engine.is_running and time.monotonic() < deadline:
        time.sleep(0.1)

    assert worker_processes.engine.exit_code == watchdog.EXIT_CODE


@pytest.fixture
def stuck_engine(worker_processes: Workers) -> Iterator[Child]:
    """An engine worker that soon leaves when it is stuck, and whose pool stands still."""
    engine = worker_processes.engine
    engine.kill()
    worker_processes.start({"STUCK_AFTER_SECONDS": str(STUCK_AFTER)})
    for pid in pool_of(worker_processes.engine):
        os.kill(pid, signal.SIGSTOP)
    yield worker_processes.engine
    worker_processes.engine.kill()  # the next one has the settings of everybody


def test_a_worker_that_lives_and_makes_no_progress_leaves_and_another_does_its_work(
    tenant: Tenant, stuck_engine: Child
) -> None:
    """Its main process answers, takes messages and renews its links; nothing that it took is done."""
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    paid(tenant)
    supervisor, pid, began = Supervisor([stuck_engine]), stuck_engine.pid, time.monotonic()

    while stuck_engine.is_running:
        assert time.monotonic() - began < STUCK_AFTER + SLACK, "it never left"
        time.sleep(0.05)
    assert (stuck_engine.exit_code, stuck_engine.pid) == (watchdog.EXIT_CODE, pid)
    assert run_of(tenant, run_id).state == "pending"

    while run_of(tenant, run_id).state != "completed":
        assert time.monotonic() - began < STUCK_AFTER + 2 * SLACK, "nobody does its work"
        supervisor.look()
        time.sleep(0.05)
    assert stuck_engine.pid != pid


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
