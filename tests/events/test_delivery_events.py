"""Deliveries tell how they ended: to subscribers and to hooks, once each."""

from collections.abc import Callable, Iterator

import pytest

from deliveries.models import Delivery
from deliveries.services import record_bounce
from deliveries.states import OWED, DeliveryStatus
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.deliveries.conftest import Journey, journey
from tests.events.listening import Subscriber
from workflows.events.turn import events_turn
from workflows.events.types import EventType, run_event_type
from workflows.hooks import DeliveryEvent, forget, on_delivery_event
from workflows.services.control import cancel_runs
from workflows.states import MOVES, Cause

__all__ = ["journey"]

INBOX = {"channel": "in_app", "template": "hello", "to": "run.subject"}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}
HELLO = {"hello": {"subject": "Hello", "text": "Hello"}}
ENDS = ["delivery.delivered", "delivery.bounced", "delivery.cancelled", "delivery.permanent_failure"]


@pytest.fixture
def heard() -> Iterator[list[DeliveryEvent]]:
    """What a hook was told."""
    told: list[DeliveryEvent] = []
    on_delivery_event(told.append)
    yield told
    forget(told.append)


def test_every_end_of_a_delivery_and_every_move_of_a_run_has_a_type() -> None:
    assert {f"delivery.{one}" for one in DeliveryStatus if one not in OWED} == {
        one for one in EventType if one.startswith("delivery.")
    }
    moves = {run_event_type(start, end) for start, ends in MOVES.items() for end in ends}
    assert moves == {one for one in EventType if one.startswith("run.")}


def test_one_that_settles_at_once_is_told_with_its_names(
    journey: Journey, subscribe: Callable[..., Subscriber], heard: list[DeliveryEvent]
) -> None:
    crm = subscribe(types=ENDS)
    journey.publish(INBOX, templates=HELLO)
    run = journey.start()
    delivery = journey.delivery(run)
    events_turn(tenant_id=journey.tenant.pk)

    assert [(one["type"], one["data"]) for one in crm.told] == [
        (
            "delivery.delivered",
            {
                "channel": "in_app",
                "delivery_id": str(delivery.public_id),
                "run_id": str(run.public_id),
                "status": "delivered",
                "step": "step_1",
                "visit": 1,
                "workflow": journey.key,
            },
        )
    ]
    assert [(one.type, one.delivery) for one in heard] == [("delivery.delivered", str(delivery.public_id))]


def test_a_bounce_a_cancel_and_a_failure_are_told_once(
    journey: Journey,
    subscribe: Callable[..., Subscriber],
    heard: list[DeliveryEvent],
    smtp_sink: object,
) -> None:
    crm = subscribe(types=ENDS)
    journey.publish(MAIL, {"kind": "wait", "for": "P1D"}, templates=HELLO)
    sent = journey.start(email="ada@example.com")
    journey.work()
    delivery = journey.delivery(sent)
    for _ in range(2):
        record_bounce(tenant_id=journey.tenant.pk, delivery=delivery.public_id)
    stopped = journey.start(email="grace@example.com")
    cancel_runs(tenant_id=journey.tenant.pk, public_ids=[stopped.public_id], cause=Cause.API, cause_ref="", reason="no")
    journey.start(email="not an address")
    journey.work()
    events_turn(tenant_id=journey.tenant.pk)

    assert crm.types == ["delivery.delivered", "delivery.bounced", "delivery.cancelled", "delivery.permanent_failure"]
    assert [one.type for one in heard] == crm.types


def test_a_delivery_of_another_tenant_is_not_told(
    tenant: Tenant, other_tenant: Tenant, subscribe: Callable[..., Subscriber]
) -> None:
    crm = subscribe()
    theirs = Journey(other_tenant)
    theirs.publish(INBOX, templates=HELLO)
    theirs.start()
    events_turn(tenant_id=tenant.pk)

    assert crm.requests == []
    with tenant_scope(other_tenant.pk):
        assert Delivery.objects.count() == 1


def test_what_undoes_a_message_is_told_as_that(
    journey: Journey, subscribe: Callable[..., Subscriber], heard: list[DeliveryEvent]
) -> None:
    crm = subscribe(types=[*ENDS, "run.noted"])
    undo = {"kind": "deliver", "channel": "in_app", "template": "hello"}
    journey.publish({**INBOX, "compensate": undo}, {"kind": "wait", "for": "P1D"}, templates=HELLO)
    run = journey.start()
    by = {"cause": Cause.API, "cause_ref": "test", "reason": "changed their mind"}
    cancel_runs(tenant_id=journey.tenant.pk, public_ids=[run.public_id], compensate=True, **by)
    record_bounce(tenant_id=journey.tenant.pk, delivery=journey.deliveries(run)[1].public_id)
    events_turn(tenant_id=journey.tenant.pk)

    told = [{name: one["data"].get(name) for name in ("status", "compensation")} for one in crm.told]
    assert [one for one in told if one["status"]] == [
        {"status": "delivered", "compensation": None},
        {"status": "delivered", "compensation": True},
        {"status": "bounced", "compensation": True},
    ]
    assert [one.is_compensation for one in heard] == [False, True, True]
    notes = [one["data"] for one in crm.told if one["type"] == "run.noted" and one["data"]["state"] == "cancelled"]
    assert [(one["reason"], one.get("steps"), one.get("compensates"), one.get("outcome")) for one in notes] == [
        ("compensation_owed", ["step_1"], None, None),
        ("compensated", None, "step_1", "delivered"),
        ("compensation_failed", None, "step_1", "bounced"),
    ]
