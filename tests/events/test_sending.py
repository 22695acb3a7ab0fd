"""Events reach whoever subscribed: after the commit, signed, at least once, on the schedule."""

import contextlib
import socket
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.events.listening import Subscriber, events_of
from tests.journeys import GRACE, drain, paid, publish, run_of, start, waiting_run
from workflows.events import message
from workflows.events.claims import claim_events, finish_events
from workflows.events.schedule import PAUSES, next_try
from workflows.events.subscriptions import put_subscription, rotate_subscription_secret
from workflows.events.turn import events_turn, send_claimed
from workflows.services.control import cancel_runs
from workflows.services.sweeping import due_work
from workflows.states import Cause

Subscribe = Callable[..., Subscriber]


def test_the_life_of_a_run_is_told_in_order(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe()
    run_id = waiting_run(tenant)
    paid(tenant)
    drain(tenant)

    assert ("events", tenant.pk) in due_work()
    assert events_turn(tenant_id=tenant.pk) == 5
    assert ("events", tenant.pk) not in due_work()

    assert crm.types == ["run.created", "run.started", "run.waiting", "run.continued", "run.completed"]
    run = run_of(tenant, run_id)
    assert [one["data"]["seq"] for one in crm.told] == list(range(1, run.seq + 1))
    assert crm.told[-1]["data"] == {
        "from_state": "active",
        "reason": "rule_completed",
        "run_id": str(run.public_id),
        "seq": run.seq,
        "state": "completed",
        "step": "grace",
        "workflow": "dunning",
    }
    assert [UUID(one) for one in crm.ids] == [event.public_id for event in events_of(tenant)]
    assert crm.attempts() == [(1, 204, "")] * 5
    assert events_turn(tenant_id=tenant.pk) == 0


def test_without_a_subscription_nothing_is_written(tenant: Tenant, other_tenant: Tenant, subscribe: Subscribe) -> None:
    subscribe()
    waiting_run(other_tenant)

    assert events_of(other_tenant) == []
    assert events_of(tenant) == []


def test_a_subscription_hears_the_types_it_names_and_a_disabled_one_only_keeps_them(
    tenant: Tenant, subscribe: Subscribe
) -> None:
    waits, off = subscribe("waits", types=["run.waiting"]), subscribe("off", types=["run.started"], enabled=False)
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)

    assert (waits.types, off.types) == (["run.waiting"], [])
    assert [event.type for event in events_of(tenant)] == ["run.started", "run.waiting"]
    assert off.dispatches == []


def test_nothing_is_told_of_what_was_rolled_back(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.cancelled"])
    public_id = run_of(tenant, waiting_run(tenant)).public_id

    with contextlib.suppress(RuntimeError), tenant_scope(tenant.pk):
        cancel_runs(tenant_id=tenant.pk, public_ids=[public_id], cause=Cause.API, cause_ref="", reason="r")
        assert len(crm.dispatches) == 1
        raise RuntimeError

    assert (crm.dispatches, events_of(tenant)) == ([], [])


def test_a_writer_that_commits_late_is_not_passed_over(
    tenant: Tenant, subscribe: Subscribe, together: Callable[..., list[Any]]
) -> None:
    """The first writer holds the lower id; the reader has sent the second one's events before the first commits."""
    crm = subscribe(types=["run.created"])
    publish(tenant, GRACE)

    def quick() -> None:
        start(tenant, "dunning", "quick", correlation={"invoice_id": "2"}, data={"n": 2})
        events_turn(tenant_id=tenant.pk)

    with tenant_scope(tenant.pk):
        start(tenant, "dunning", "slow", correlation={"invoice_id": "1"}, data={"n": 1})
        assert together(quick) == [None]
        met = crm.ids
    events_turn(tenant_id=tenant.pk)

    late, early = events_of(tenant)
    assert met == [str(early.public_id)]
    assert crm.ids == [str(early.public_id), str(late.public_id)]


def test_every_try_has_one_id_and_one_body(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.created"], status=500)
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    (owed,) = crm.dispatches
    assert (owed.status, owed.tries) == ("owed", 1)
    assert owed.due_at is not None
    assert 4 < (owed.due_at - owed.created_at).total_seconds() < 60  # the pause after the next one is longer

    crm.answer(204)
    crm.make_due()
    events_turn(tenant_id=tenant.pk)

    first, second = crm.requests
    assert (first.headers["webhook-id"], first.data) == (second.headers["webhook-id"], second.data)
    assert crm.attempts() == [(1, 500, "http 500"), (2, 204, "")]
    assert [(one.status, one.due_at) for one in crm.dispatches] == [("delivered", None)]


def test_the_schedule_is_that_of_standard_webhooks() -> None:
    now = datetime(2026, 11, 20).astimezone()
    total = timedelta()
    for tries, pause in enumerate(PAUSES, start=1):
        found = next_try(tries, now)
        assert found is not None
        assert pause <= found - now <= pause * 1.1
        total += pause

    assert total == timedelta(hours=75, minutes=35, seconds=5)
    assert next_try(len(PAUSES) + 1, now) is None


@pytest.mark.parametrize(
    ("asked", "low", "high"), [("3600", 3600, 3660), ("1", 5, 60), ("99999999", 86400, 86460), ("soon", 5, 60)]
)
def test_a_receiver_may_ask_for_more_time_up_to_a_day(
    asked: str, low: int, high: int, tenant: Tenant, subscribe: Subscribe
) -> None:
    crm = subscribe(types=["run.created"])
    crm.answer(429, {"Retry-After": asked})
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)

    (owed,) = crm.dispatches
    assert owed.due_at is not None
    assert low <= (owed.due_at - owed.created_at).total_seconds() <= high
    hold = crm.row.hold_until
    assert hold is not None
    assert (hold - owed.created_at).total_seconds() <= 3700


def test_the_last_try_is_the_tenth(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.created"], status=404)
    waiting_run(tenant)
    for _ in range(12):
        events_turn(tenant_id=tenant.pk)
        crm.make_due()

    assert [(one.status, one.attempts_made) for one in crm.dispatches] == [("exhausted", 10)]
    assert crm.attempts() == [(n, 404, "http 404") for n in range(1, 11)]
    assert ("events", tenant.pk) not in due_work()


def test_410_disables_at_once_and_the_others_are_told(tenant: Tenant, subscribe: Subscribe) -> None:
    gone = subscribe("gone", types=["run.created"], status=410)
    news = subscribe("news", types=["subscription.disabled"])
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    events_turn(tenant_id=tenant.pk)

    row = gone.row
    assert (row.enabled, row.disabled_reason) == (False, "gone")
    assert [one["data"] for one in news.told] == [{"reason": "gone", "subscription": "gone"}]
    start(tenant, "dunning", correlation={"invoice_id": "43"})
    gone.make_due()
    events_turn(tenant_id=tenant.pk)
    assert len(gone.requests) == 1
    assert ("events", tenant.pk) not in due_work()


def test_only_failures_for_120_hours_disable(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.created"], status=500)
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    since = crm.row.failing_since
    assert since is not None

    crm.change(failing_since=since - timedelta(hours=119))
    crm.make_due()
    events_turn(tenant_id=tenant.pk)
    assert (crm.row.enabled, crm.row.failures) == (True, 2)
    crm.change(failing_since=since - timedelta(hours=121))
    crm.make_due()
    events_turn(tenant_id=tenant.pk)
    assert (crm.row.enabled, crm.row.disabled_reason) == (False, "failing")

    crm.answer(204)
    put_subscription(tenant_id=tenant.pk, key="crm", url=crm.url, types=["run.created"])
    crm.make_due()
    events_turn(tenant_id=tenant.pk)
    row = crm.row
    assert (row.enabled, row.disabled_reason, row.failing_since, row.failures) == (True, "", None, 0)
    assert [one.status for one in crm.dispatches] == ["delivered"]


def test_one_success_forgets_the_failures(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.created"], status=500)
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    crm.answer(204)
    crm.change(failing_since=crm.row.created_at - timedelta(hours=200))
    crm.make_due()
    events_turn(tenant_id=tenant.pk)

    row = crm.row
    assert (row.enabled, row.failing_since, row.failures, row.hold_until) == (True, None, 0, None)


def test_a_dead_receiver_among_many_slows_nobody(
    tenant: Tenant, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch, together: Callable[..., list[Any]]
) -> None:
    """It accepts connections and never answers: a single event of its hundred is tried, and the others get theirs."""
    monkeypatch.setattr(message, "TOTAL_SECONDS", 60.0)
    others = [subscribe(f"other_{n}", types=["run.created"]) for n in range(12)]
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        dead = subscribe("dead", types=["run.created"], url=address)
        publish(tenant, GRACE)
        for n in range(5):
            start(tenant, "dunning", f"s{n}", correlation={"invoice_id": str(n)})

        def give_up() -> None:
            """The dead one breaks the connection off, when all others have theirs or its time will soon be up."""
            connection, _ = server.accept()
            with connection:
                deadline = time.monotonic() + 50
                while not all(len(other.requests) == 5 for other in others) and time.monotonic() < deadline:
                    time.sleep(0.01)
                told.extend(len(other.requests) for other in others)

        told: list[int] = []
        assert together(give_up, lambda: events_turn(tenant_id=tenant.pk))[0] is None

    assert told == [5] * 12  # while the dead one was waited for
    [(number, status, error)] = dead.attempts()
    assert (number, status, error.startswith("network ")) == (1, None, True)
    assert [(one.status, one.tries) for one in dead.dispatches] == [("owed", 1)] + [("owed", 0)] * 4
    assert ("events", tenant.pk) not in due_work()  # it is held back


def test_what_a_lost_worker_claimed_is_sent_by_another_and_the_late_one_changes_nothing(
    tenant: Tenant, subscribe: Subscribe
) -> None:
    crm = subscribe(types=["run.created"])
    waiting_run(tenant)
    lost = claim_events(tenant_id=tenant.pk)
    assert lost is not None
    assert claim_events(tenant_id=tenant.pk) is None
    crm.make_due()  # its lease has run out

    events_turn(tenant_id=tenant.pk)
    assert crm.attempts() == [(1, None, "worker_lost"), (2, 204, "")]
    crm.answer(500)
    finish_events(claim=lost, tried=send_claimed(lost))

    assert [(one.status, one.attempts_made) for one in crm.dispatches] == [("delivered", 2)]
    assert crm.ids[0] == crm.ids[1]


def test_every_live_secret_signs(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.created"])
    new = rotate_subscription_secret(tenant_id=tenant.pk, key="crm", overlap=timedelta(hours=1)).secret
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)

    (request,) = crm.requests
    for secret in (crm.secret, new):
        Webhook(secret).verify(request.data, dict(request.headers))


def test_an_address_inside_is_refused_when_it_is_called(tenant: Tenant, subscribe: Subscribe, settings: Any) -> None:
    crm = subscribe(types=["run.created"])
    waiting_run(tenant)
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    events_turn(tenant_id=tenant.pk)

    assert (crm.requests, crm.attempts()) == ([], [(1, None, "address refused: loopback")])
