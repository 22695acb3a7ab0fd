"""Who leaves and who takes over: workers that make no progress, and all of them when they are asked to stop."""

import os
import signal
import time
import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chimeway_py import nudges, watchdog
from chimeway_py.celery import app
from chimeway_py.demo.supervisor import Supervisor
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from chimeway_py.embedded.processes import Child
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.faults.calls import Calls
from tests.faults.calls import Tenant as Client
from tests.faults.chaos import pool_of
from tests.faults.shims import dies_at
from tests.fleet import Web, Workers
from tests.journeys import GRACE, paid, publish, run_of, start
from tests.plugin import Servers
from tests.processes.callers import Callers
from tests.processes.test_recovery import MAIL, address, state, until
from workflows.models import Attempt, Run
from workflows.services.sweeping import Sweeper
from workflows.verify import verify_trace

__all__ = ["address"]

STUCK_AFTER, SLACK = 2.0, 60.0  # seconds
STOPS_WITHIN = 60.0  # seconds
BLOCKED = 3  # requests that wait for a lock when the server is asked to stop
_BLOCKED = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'signals_app_signal'::regclass"


def test_a_deaf_worker_leaves_with_a_code_that_asks_for_a_restart(worker_processes: Workers) -> None:
    [name] = [name for answer in app.control.ping() or [] for name in answer if name.startswith("engine@")]
    for queue in ("engine", "sweep"):
        app.control.cancel_consumer(queue, destination=[name], reply=True)

    deadline = time.monotonic() + 3 * watchdog.DEAF_AFTER + 60
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


@pytest.fixture
def failing_engine(worker_processes: Workers) -> Child:
    """An engine worker each of whose turns fails at once, and which soon leaves for that."""
    worker_processes.engine.kill()
    failing = dies_at({}, "workflows.services.turn:engine_turn=1!")
    worker_processes.start({"STUCK_AFTER_SECONDS": str(STUCK_AFTER), **failing})
    return worker_processes.engine


def test_a_worker_whose_every_turn_fails_leaves_and_another_does_its_work(
    tenant: Tenant, failing_engine: Child, worker_processes: Workers
) -> None:
    """Messages come and go; it is only that nothing that is due is done."""
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    paid(tenant)

    assert failing_engine.wait(STUCK_AFTER + 2 * SLACK), "it never left"
    assert failing_engine.exit_code == watchdog.EXIT_CODE
    assert "every_turn_fails" in failing_engine.log_tail(200)
    assert run_of(tenant, run_id).state == "pending"

    worker_processes.start()
    until(lambda: state(tenant, run_id) == "completed")


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


@pytest.fixture
def web(servers: Servers) -> Iterator[Web]:
    web = Web(servers.folder / "logs")
    web.start()
    yield web
    web.stop()


@pytest.fixture
def calls(web: Web, tmp_path: Path) -> Calls:
    url = urllib.parse.urlsplit(web.url)
    assert url.hostname
    assert url.port
    return Calls(url.hostname, url.port, tmp_path / "requests.jsonl")


def test_when_asked_to_stop_what_is_under_way_is_finished_and_answered_and_nothing_is_lost(
    tenant: Tenant,
    api_key: Callable[[Tenant], str],
    worker_processes: Workers,
    web: Web,
    calls: Calls,
    smtp_sink: Mailbox,
    address: str,
    postgres: Postgres,
) -> None:
    publish(tenant, MAIL)
    client = Client(tenant.slug, api_key(tenant))
    domain = f"{tenant.slug}.example.org"
    smtp_sink.hold(address)
    held = start(tenant, "mail", data={"email": address})
    until(lambda: smtp_sink.is_holding(address))
    callers = Callers(calls, client, domain)
    until(lambda: len(callers.accepted) > 10)
    stopping = [web.server, worker_processes.engine, worker_processes.work]

    with ThreadPoolExecutor(BLOCKED) as threads, postgres.connect() as somebody:
        with somebody.transaction():
            somebody.execute("LOCK TABLE signals_app_signal IN SHARE MODE")
            blocked = [threads.submit(calls.ask, client, "POST", "signals", {"name": "a.b"}) for _ in range(BLOCKED)]
            until(lambda: somebody.execute(_BLOCKED).fetchone() >= (BLOCKED,))
            began, before = time.monotonic(), len(callers.accepted)
            for child in stopping:
                child.ask_to_stop()
            somebody.execute("SELECT pg_sleep(0.5)")  # they have heard it, and have all of this to finish
        smtp_sink.answer_normally()
        for child in stopping:
            assert child.wait(STOPS_WITHIN - (time.monotonic() - began)), f"{child.name} is still there"
        assert [one.result().status for one in blocked] == [202] * BLOCKED
        assert [child.exit_code for child in stopping] == [0, 0, 0]
    with tenant_scope(tenant.pk):
        tries = Attempt.objects.filter(tenant_id=tenant.pk, step_run__run_id=held)
        assert [one.status for one in tries] == ["finished"]
    web.start()
    worker_processes.start()
    until(lambda: len(callers.accepted) > before + 5)
    callers.stop()

    until(lambda: {state(tenant, run.pk) for run in runs_of(tenant)} == {"completed"}, 90)
    assert callers.refused == []
    assert sorted(run.subject for run in runs_of(tenant)) == sorted(["ada", *callers.accepted])
    arrived = Counter(str(mail["To"]) for mail in smtp_sink.all())
    assert {arrived[to] for to in (address, *(f"{who}@{domain}" for who in callers.accepted))} == {1}
    with tenant_scope(tenant.pk):
        assert {one.status for one in Attempt.objects.filter(tenant_id=tenant.pk)} == {"finished"}
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def runs_of(tenant: Tenant) -> list[Run]:
    with tenant_scope(tenant.pk):
        return list(Run.objects.filter(tenant_id=tenant.pk))
