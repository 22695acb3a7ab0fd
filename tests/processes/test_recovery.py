"""Real workers, a real broker and a real mail server, and what is left when some of them die."""

import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partialmethod
from statistics import median
from typing import Any

import pytest
from redis.connection import AbstractConnection
from rest_framework.test import APIClient

from chimeway_py.embedded.broker import Broker
from chimeway_py.embedded.mailbox import Mailbox
from chimeway_py.embedded.postgres import Postgres
from deliveries.broadcasts.making import NewBroadcast, make_broadcast
from deliveries.broadcasts.ordering import start_broadcast
from deliveries.broadcasts.preview import preview
from deliveries.models import Broadcast, Delivery
from deliveries.services.providers import put_provider
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.deliveries.doubles import Holds
from tests.faults.shims import dies_at
from tests.fleet import Workers
from tests.journeys import GRACE, paid, publish, reasons_of, run_of, start
from workflows.models import Attempt, Run, StepRun
from workflows.services.control import cancel_runs
from workflows.states import Cause
from workflows.verify import verify_trace

SWEEP_BOUND = 60.0  # seconds within which everything moves again, on a machine that is busy with other things
_SLOW_STARTS = """
CREATE FUNCTION slow_{0}() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.005); RETURN NULL; END';
CREATE TRIGGER slow_{0} AFTER INSERT ON workflows_run
   FOR EACH ROW WHEN (NEW.tenant_id = {0}) EXECUTE FUNCTION slow_{0}()
"""
_AS_BEFORE = "DROP TRIGGER slow_{0} ON workflows_run; DROP FUNCTION slow_{0}()"
_FINISH = "workflows.services.turn:finish_work"
BEFORE_THE_SECOND_COMMIT = (f"{_FINISH}=1~60", f"{_FINISH}=2")  # the first sleeps there, the second ends the process
MAIL: dict[str, Any] = {
    "key": "mail",
    "templates": {"hello": {"subject": "Hello", "text": "Hello {{ run.subject }}"}},
    "steps": [{"key": "send", "kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"}],
}


@pytest.fixture
def address() -> str:
    return f"{uuid.uuid4().hex}@example.org"


@pytest.fixture
def frozen_broker(broker: Broker) -> Iterator[Broker]:
    """A broker that accepts connections and answers nothing."""
    broker.server.signal(signal.SIGSTOP)
    yield broker
    broker.server.signal(signal.SIGCONT)


def until(held: Callable[[], Any], seconds: float = SWEEP_BOUND) -> float:
    """Seconds until it held. Fails after `seconds`."""
    began = time.monotonic()
    while not held():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


def state(tenant: Tenant, run_id: int) -> str:
    return run_of(tenant, run_id).state


def has_passed(tenant: Tenant, moment: datetime) -> bool:
    """By the clock that leases are judged by."""
    with tenant_scope(tenant.pk):
        return database_now() > moment


def test_a_nudge_carries_a_run_through_in_a_moment(tenant: Tenant, worker_processes: Workers) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", correlation={"invoice_id": "42"})
    until(lambda: state(tenant, run_id) == "waiting")

    paid(tenant)

    until(lambda: state(tenant, run_id) == "completed")


def test_a_worker_killed_in_mid_step_is_replaced_and_one_mail_arrives(
    tenant: Tenant, worker_processes: Workers, smtp_sink: Mailbox, address: str
) -> None:
    publish(tenant, MAIL)
    smtp_sink.hold(address)
    run_id = start(tenant, "mail", data={"email": address})
    until(lambda: smtp_sink.is_holding(address))

    worker_processes.work.kill()
    until(lambda: not smtp_sink.is_holding(address))
    smtp_sink.answer_normally()
    worker_processes.start()

    until(lambda: state(tenant, run_id) == "completed")
    assert len(smtp_sink.to(address)) == 1
    with tenant_scope(tenant.pk):
        attempts = Attempt.objects.filter(tenant_id=tenant.pk).order_by("number")
        assert list(attempts.values_list("number", "status")) == [(1, "lost"), (2, "finished")]


def test_work_that_takes_longer_than_its_lease_keeps_it(
    tenant: Tenant, worker_processes: Workers, smtp_sink: Mailbox, address: str
) -> None:
    publish(tenant, MAIL)
    smtp_sink.hold(address)
    run_id = start(tenant, "mail", data={"email": address})
    until(lambda: smtp_sink.is_holding(address))
    with tenant_scope(tenant.pk):
        first_end = Attempt.objects.get(tenant_id=tenant.pk).lease_until

    until(lambda: has_passed(tenant, first_end + timedelta(seconds=1)))
    with tenant_scope(tenant.pk):
        assert StepRun.objects.get(tenant_id=tenant.pk).due_at > database_now(), "it was renewed"
    smtp_sink.answer_normally()

    until(lambda: state(tenant, run_id) == "completed")
    with tenant_scope(tenant.pk):
        assert [attempt.status for attempt in Attempt.objects.filter(tenant_id=tenant.pk)] == ["finished"]
    assert len(smtp_sink.to(address)) == 1


def test_a_worker_killed_in_mid_broadcast_neither_loses_nor_doubles_a_target(
    tenant: Tenant, worker_processes: Workers, postgres: Postgres
) -> None:
    publish(tenant, GRACE)
    new = NewBroadcast(workflow="dunning", subjects=[f"r{number}" for number in range(2000)])
    made = make_broadcast(tenant_id=tenant.pk, new=new, made_by="test")
    which = {"tenant_id": tenant.pk, "public_id": made.public_id}
    token = preview(**which).token
    with postgres.connect() as superuser:  # ten seconds for all of them: it is seen under way
        superuser.execute(_SLOW_STARTS.format(tenant.pk))
    start_broadcast(token=token, ordered_by="test", **which)

    def shown() -> Broadcast:
        with tenant_scope(tenant.pk):
            return Broadcast.objects.get(tenant_id=tenant.pk)

    until(lambda: shown().started)
    worker_processes.engine.kill()
    met = shown()
    with postgres.connect() as superuser:
        superuser.execute(_AS_BEFORE.format(tenant.pk))
    worker_processes.start()
    until(lambda: shown().status == "completed")

    assert met.status == "running"
    with tenant_scope(tenant.pk):
        runs = Run.objects.filter(tenant_id=tenant.pk)
        assert runs.count() == runs.values("subject").distinct().count() == shown().started == 2000


def test_lost_nudges_are_found_by_the_sweep(tenant: Tenant, worker_processes: Workers, broker: Broker) -> None:
    publish(tenant, GRACE)
    runs = []
    for number in range(5):
        runs.append(start(tenant, "dunning", correlation={"invoice_id": f"i{number}"}))
        paid(tenant, f"i{number}")
        broker.flush()

    until(lambda: {state(tenant, run_id) for run_id in runs} == {"completed"})


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the threads of this process that have asked the broker for anything."""
    asked_by: set[str] = set()
    for name in ("connect", "send_packed_command"):
        real = getattr(AbstractConnection, name)
        wrapped = partialmethod(_noted, real, asked_by)
        monkeypatch.setattr(AbstractConnection, name, wrapped)
    return asked_by


def _noted(connection: Any, real: Callable[..., Any], asked_by: set[str], *args: Any, **named: Any) -> Any:
    asked_by.add(threading.current_thread().name)
    return real(connection, *args, **named)


def test_a_request_never_waits_for_a_frozen_broker(
    tenant: Tenant, rest: APIClient, frozen_broker: Broker, asking: set[str]
) -> None:
    """None of them asks it: a thread of its own does, and waits."""
    publish(tenant, GRACE)
    seconds = []

    for number in range(20):
        began = time.monotonic()
        answer = rest.post("/v1/signals", {"name": "invoice.paid", "correlation": {"invoice_id": str(number)}})
        seconds.append(time.monotonic() - began)
        assert answer.status_code == 202
    until(lambda: asking)

    assert asking == {"nudges"}
    assert median(seconds) < 1.0  # each that waited would do so for two, at the least


def test_what_was_accepted_while_the_broker_was_dead_is_done_when_it_is_back(
    tenant: Tenant, worker_processes: Workers, broker: Broker
) -> None:
    publish(tenant, GRACE)
    broker.kill()
    runs = [start(tenant, "dunning", correlation={"invoice_id": f"i{n}"}) for n in range(5)]
    for number in range(5):
        paid(tenant, f"i{number}")
    with tenant_scope(tenant.pk):
        assert set(Run.objects.filter(tenant_id=tenant.pk).values_list("state", flat=True)) == {"pending"}

    broker.start()

    until(lambda: {state(tenant, run_id) for run_id in runs} == {"completed"}, 90)


def test_a_worker_killed_while_it_undoes_is_replaced_and_one_mail_arrives(
    tenant: Tenant, worker_processes: Workers, smtp_sink: Mailbox, address: str
) -> None:
    told = {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"}
    sorry = {name: value for name, value in MAIL["steps"][0].items() if name != "key"}
    publish(tenant, MAIL | {"steps": [told | {"compensate": sorry}, {"key": "rest", "kind": "wait", "for": "P1D"}]})
    smtp_sink.hold(address)
    run_id = start(tenant, "mail", data={"email": address})
    until(lambda: state(tenant, run_id) == "waiting")
    public_ids = [run_of(tenant, run_id).public_id]
    asked: dict[str, Any] = {"cause": Cause.API, "cause_ref": "", "reason": "withdrawn", "compensate": True}
    cancel_runs(tenant_id=tenant.pk, public_ids=public_ids, **asked)
    until(lambda: smtp_sink.is_holding(address))

    worker_processes.work.kill()
    until(lambda: not smtp_sink.is_holding(address))
    smtp_sink.answer_normally()
    worker_processes.start()

    until(lambda: reasons_of(tenant, run_id)[-2:] == ["attempt_lost", "compensated"])
    assert len(smtp_sink.to(address)) == 1
    assert state(tenant, run_id) == "cancelled"


def test_killed_around_the_answer_of_a_provider_it_ends_as_the_step_says(
    tenant: Tenant, worker_processes: Workers, settings: Any
) -> None:
    """Killed before the provider has answered (`held`), and after its yes and before our commit (`taken`)."""
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    worker_processes.work.kill()
    worker_processes.start(dies_at({}, *BEFORE_THE_SECOND_COMMIT))
    words = {"templates": {"hello": {"text": "{{ data.word }}"}}}
    step = {"key": "text", "kind": "deliver", "channel": "sms", "template": "hello"}
    publish(tenant, {"key": "once", **words, "steps": [step | {"at_most_once": True}]})
    publish(tenant, {"key": "again", **words, "steps": [step]})

    with Holds(at_once="taken") as provider:
        config = {"account_sid": "AC1", "from": "+15550001111", "url": provider.url}
        put_provider(tenant_id=tenant.pk, key="texts", kind="twilio", config=config, credentials={"auth_token": "t"})
        runs = {}
        for window in ("held", "taken"):
            for key in ("once", "again"):
                data = {"phone": "+4366012345678", "word": f"{key}-{window}"}
                runs[key, window] = start(tenant, key, data=data)
            until(lambda: all(provider.about(f"{key}-{window}") for key in ("once", "again")))  # noqa: B023
        until(lambda: not worker_processes.work.is_running)
        provider.let_go()
        worker_processes.start()

        for window in ("held", "taken"):
            once, again = runs["once", window], runs["again", window]
            until(lambda: state(tenant, again) == "completed", 90)  # noqa: B023
            until(lambda: run_of(tenant, once).status_reason == "unknown_outcome", 90)  # noqa: B023
            assert state(tenant, once) == "active"
            assert len(provider.about(f"once-{window}")) == 1, "nobody sends it blindly again"
            assert len(provider.about(f"again-{window}")) == 2
            keys = {line for request in provider.about(f"again-{window}") for line in key_lines(request)}
            assert len(keys) == 1, "both tries go out under one key"
    ends = {("once", "unknown"): 2, ("again", "delivered"): 2}
    assert deliveries_of(tenant) == ends, "one message for each visit, however often it was tried"
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def deliveries_of(tenant: Tenant) -> dict[tuple[str, str], int]:
    """How many messages of each workflow ended how."""
    with tenant_scope(tenant.pk):
        return dict(Counter(Delivery.objects.filter(tenant_id=tenant.pk).values_list("definition_key", "status")))


def key_lines(request: bytes) -> list[bytes]:
    return [line for line in request.lower().split(b"\r\n") if line.startswith(b"i-twilio-idempotency-token:")]
