"""Sending events again: by range, one by one, and how long they are kept."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.events.listening import Subscriber, events_of
from tests.journeys import GRACE, publish, rows_of, start, waiting_run
from workflows.errors import EventNotFound, SubscriptionDisabled, SubscriptionNotFound
from workflows.events import replay
from workflows.events.pruning import prune_events
from workflows.events.replay import replay_events, resend_event
from workflows.events.subscriptions import delete_subscription, ping_subscription, put_subscription
from workflows.events.turn import events_turn
from workflows.models import Event, EventAttempt, EventDispatch, EventSubscription

Subscribe = Callable[..., Subscriber]


@pytest.fixture
def missed(tenant: Tenant, subscribe: Subscribe) -> Subscriber:
    """A subscriber that was off while three runs were created."""
    crm = subscribe(types=["run.created"], enabled=False)
    publish(tenant, GRACE)
    for n in range(3):
        start(tenant, "dunning", correlation={"invoice_id": str(n)})
    put_subscription(tenant_id=tenant.pk, key="crm", url=crm.url, types=["run.created"])
    return crm


def test_what_happened_while_it_was_off_is_replayed_by_time(tenant: Tenant, missed: Subscriber) -> None:
    first, second, third = events_of(tenant)
    events_turn(tenant_id=tenant.pk)
    assert missed.requests == []
    asked: dict[str, Any] = {"tenant_id": tenant.pk, "key": "crm", "since": second.occurred_at}

    before = rows_of(tenant, [EventDispatch])
    assert replay_events(**asked, dry_run=True).count == 2
    assert rows_of(tenant, [EventDispatch]) == before
    assert replay_events(**asked).count == 2
    assert replay_events(**asked).count == 0  # they are owed, and come anyway
    events_turn(tenant_id=tenant.pk)

    assert missed.ids == [str(second.public_id), str(third.public_id)]
    assert replay_events(tenant_id=tenant.pk, key="crm", since=first.occurred_at, until=second.occurred_at).count == 1


def test_it_is_replayed_after_an_event_in_bounded_parts(
    tenant: Tenant, missed: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay, "MOST_AT_ONCE", 2)
    first, second, third = events_of(tenant)

    part = replay_events(tenant_id=tenant.pk, key="crm", since=first.occurred_at)
    assert part == replay.Replayed(2, second.public_id)
    assert replay_events(tenant_id=tenant.pk, key="crm", after=part.next_after) == replay.Replayed(1)
    events_turn(tenant_id=tenant.pk)
    assert missed.ids == [str(one.public_id) for one in (first, second, third)]


def test_what_was_delivered_is_sent_again_only_when_asked_for(tenant: Tenant, subscribe: Subscribe) -> None:
    crm = subscribe(types=["run.created"])
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    since = events_of(tenant)[0].occurred_at

    assert replay_events(tenant_id=tenant.pk, key="crm", since=since).count == 0
    assert replay_events(tenant_id=tenant.pk, key="crm", since=since, include_delivered=True).count == 1
    events_turn(tenant_id=tenant.pk)

    assert len(crm.ids) == 2
    assert len(set(crm.ids)) == 1
    assert crm.attempts() == [(1, 204, ""), (2, 204, "")]


def test_one_event_goes_to_one_subscription(tenant: Tenant, subscribe: Subscribe) -> None:
    crm, late = subscribe(types=["run.created"]), subscribe("late", types=["run.failed"])
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    (event,) = events_of(tenant)

    resend_event(tenant_id=tenant.pk, event=event.public_id, key="late")
    resend_event(tenant_id=tenant.pk, event=event.public_id, key="late")
    resend_event(tenant_id=tenant.pk, event=event.public_id, key="crm")
    events_turn(tenant_id=tenant.pk)

    assert (len(crm.ids), late.ids) == (2, [str(event.public_id)])


def test_a_ping_goes_to_whoever_asked(tenant: Tenant, subscribe: Subscribe) -> None:
    crm, other = subscribe(types=["run.failed"]), subscribe("other")
    event = ping_subscription(tenant_id=tenant.pk, key="crm")
    events_turn(tenant_id=tenant.pk)

    assert [UUID(one) for one in crm.ids] == [event.public_id]
    assert [(one["type"], one["data"]) for one in crm.told] == [("ping", {"subscription": "crm"})]
    assert other.requests == []
    assert replay_events(tenant_id=tenant.pk, key="other", since=event.occurred_at).count == 0


def test_refusals_write_nothing(tenant: Tenant, other_tenant: Tenant, missed: Subscriber) -> None:
    (event, *_), now = events_of(tenant), missed.row.created_at
    put_subscription(tenant_id=tenant.pk, key="off", url=missed.url, enabled=False)
    before = rows_of(tenant, [Event, EventDispatch])

    for refused, asked in (
        (Invalid, {"key": "crm"}),
        (Invalid, {"key": "crm", "since": now, "until": now}),
        (SubscriptionNotFound, {"key": "nobody", "since": now}),
        (SubscriptionDisabled, {"key": "off", "since": now}),
        (EventNotFound, {"key": "crm", "after": uuid4()}),
    ):
        with pytest.raises(refused):
            replay_events(tenant_id=tenant.pk, **asked)
    with pytest.raises(SubscriptionDisabled):
        ping_subscription(tenant_id=tenant.pk, key="off")
    with pytest.raises(SubscriptionNotFound):
        resend_event(tenant_id=tenant.pk, event=event.public_id, key="nobody")
    with pytest.raises(EventNotFound):
        resend_event(tenant_id=other_tenant.pk, event=event.public_id, key="crm")

    assert rows_of(tenant, [Event, EventDispatch]) == before


def test_old_events_are_forgotten_with_everything_about_them(
    tenant: Tenant, subscribe: Subscribe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.events.pruning.BATCH", 2)
    subscribe()
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    tables = [Event, EventDispatch, EventAttempt]
    assert rows_of(tenant, tables) == [3, 3, 3]
    assert prune_events(tenant_id=tenant.pk) == 0

    with tenant_scope(tenant.pk):
        for event in Event.objects.exclude(type="run.waiting"):
            Event.objects.filter(pk=event.pk).update(occurred_at=event.occurred_at - timedelta(days=31))

    assert prune_events(tenant_id=tenant.pk) == 2
    assert rows_of(tenant, tables) == [1, 1, 1]


def test_a_deleted_subscription_takes_what_it_was_owed_along(tenant: Tenant, subscribe: Subscribe) -> None:
    subscribe(status=500)
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    delete_subscription(tenant_id=tenant.pk, key="crm")

    assert rows_of(tenant, [EventSubscription, EventDispatch, EventAttempt, Event]) == [0, 0, 0, 3]
    assert events_turn(tenant_id=tenant.pk) == 0


def test_a_run_commits_though_its_subscription_is_deleted_meanwhile(
    tenant: Tenant, subscribe: Subscribe, together: Callable[..., list[Any]]
) -> None:
    subscribe(types=["run.created"])
    publish(tenant, GRACE)
    with tenant_scope(tenant.pk):
        start(tenant, "dunning", correlation={"invoice_id": "1"})
        assert together(lambda: delete_subscription(tenant_id=tenant.pk, key="crm")) == [None]

    assert events_turn(tenant_id=tenant.pk) == 0
    assert len(events_of(tenant)) == 1
