"""Caps: so many and no more, whoever sends at once; what becomes of one more; and places that are given back."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import Delivery, SendingRules
from tenants.models import Tenant
from tenants.scope import database_now
from tests.deliveries.conftest import Journey
from tests.deliveries.test_quiet_hours import let_time_pass
from tests.journeys import rows_of
from workflows.explain import explain_run
from workflows.services.turn import engine_turn, work_turn

HELLO = {"hello": {"subject": "Hello", "text": "{{ coalesced.count }} more"}}
MAIL = {"channel": "email", "template": "hello", "to": "data.email"}


def cap(rest: APIClient, limit: int, then: str, **more: Any) -> None:
    """Let the tenant have one cap on mails."""
    one = {"name": "mails", "channel": "email", "limit": limit, "per": "PT1H", "then": then, **more}
    assert rest.put("/v1/sending-rules", {"caps": [one]}).status_code == 200


def statuses(journey: Journey) -> dict[str, int]:
    """How many deliveries of the tenant stand where."""
    rows = Delivery.objects.filter(tenant_id=journey.tenant.pk)
    found = journey.read(lambda: [(one.status, one.held_by, one.error) for one in rows])
    return {" ".join(filter(None, one)): found.count(one) for one in found}


def age(journey: Journey, minutes: int) -> None:
    """As though all that was sent had been sent so much earlier, and what is held were due."""

    def shift() -> None:
        sent = Delivery.objects.filter(tenant_id=journey.tenant.pk, counted_at__isnull=False)
        for one in sent:
            Delivery.objects.filter(tenant_id=one.tenant_id, id=one.pk).update(
                counted_at=one.counted_at - timedelta(minutes=minutes)
            )

    journey.read(shift)


def test_one_more_is_delayed_until_there_is_a_place(
    rest: APIClient, journey: Journey, tenant: Tenant, smtp_sink: Mailbox
) -> None:
    cap(rest, 2, "delay")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="delayed@example.com") for _ in range(3)]

    journey.work()

    third = journey.delivery(runs[2])
    first = journey.delivery(runs[0])
    told = explain_run(tenant_id=tenant.pk, public_id=runs[2].public_id)
    assert len(smtp_sink.to("delayed@example.com")) == 2
    assert (third.status, third.held_by, third.decided_rule) == ("planned", "cap", "cap mails: 2 per PT1H")
    assert first.counted_at is not None
    assert third.held_until == first.counted_at + timedelta(hours=1)
    assert "by the tenant's default: cap mails: 2 per PT1H" in told.sentence

    age(journey, 61)
    let_time_pass(journey, runs[2])
    journey.work()
    assert journey.delivery(runs[2]).status == "delivered"


def test_one_more_is_dropped_where_the_cap_says_so(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "drop")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="dropped@example.com") for _ in range(3)]

    journey.work()

    assert statuses(journey) == {"delivered": 1, "suppressed cap": 2}
    assert journey.run(runs[2]).state == "completed"


def test_more_are_joined_into_one_that_waits(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "coalesce")
    journey.publish(MAIL, templates=HELLO)
    runs = [journey.start("anna", email="joined@example.com") for _ in range(4)]
    journey.work()
    assert statuses(journey) == {"delivered": 1, "planned cap": 1, "suppressed coalesced": 2}

    age(journey, 61)
    let_time_pass(journey, runs[1])
    journey.work()

    leader = journey.delivery(runs[1])
    assert [one.coalesced_into for one in map(journey.delivery, runs[2:])] == [leader.public_id] * 2
    assert [mail.get_payload().strip() for mail in smtp_sink.to("joined@example.com")] == ["0 more", "2 more"]
    shown = rest.get(f"/v1/deliveries/{journey.delivery(runs[3]).public_id}").json()
    assert shown["coalesced_into"] == str(leader.public_id)


def test_caps_are_of_one_recipient_one_channel_and_one_category(rest: APIClient, journey: Journey) -> None:
    rest.put("/v1/categories/news", {})
    rest.put("/v1/categories/bills", {})
    cap(rest, 1, "drop", category="news")
    journey.publish(MAIL | {"category": "news"}, MAIL | {"category": "bills"}, MAIL, templates=HELLO)

    for subject in ("anna", "eve"):
        for _ in range(2):
            journey.start(subject, email=f"{subject}-caps@example.com")
    for _ in range(4):
        journey.work()

    assert statuses(journey) == {"delivered": 10, "suppressed cap": 2}


def test_a_step_may_override_the_caps(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "drop")
    journey.publish(MAIL | {"caps": "override"}, templates=HELLO)

    for _ in range(3):
        journey.start("anna", email="overridden@example.com")
    journey.work()

    assert statuses(journey) == {"delivered": 3}


def test_what_did_not_go_out_gives_its_place_back(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "drop")
    journey.publish(MAIL, templates=HELLO)
    smtp_sink.answer("refused@example.com", "550 5.1.1 nobody")
    refused = journey.start("anna", email="refused@example.com")
    journey.work()

    journey.start("anna", email="placed@example.com")
    journey.work()

    assert journey.delivery(refused).status == "permanent_failure"
    assert statuses(journey) == {"permanent_failure smtp 550 5.1.1": 1, "delivered": 1}


@pytest.mark.parametrize("then", ["delay", "coalesce", "drop"])
def test_eight_workers_at_once_send_no_more_than_may(
    then: str, rest: APIClient, journey: Journey, together: Callable[..., list[Any]], smtp_sink: Mailbox
) -> None:
    cap(rest, 3, then)
    journey.publish(MAIL, templates=HELLO)
    for _ in range(24):
        journey.start("anna", email=f"crowd-{then}@example.com")

    together(*[lambda: work_turn(tenant_id=journey.tenant.pk)] * 8)
    while engine_turn(tenant_id=journey.tenant.pk) + work_turn(tenant_id=journey.tenant.pk):
        pass  # a turn is short: on a busy machine eight of them are not enough for all

    kept_back = {"delay": {"planned cap": 21}, "drop": {"suppressed cap": 21}}
    joined = {"planned cap": 1, "suppressed coalesced": 20}
    assert statuses(journey) == {"delivered": 3, **kept_back.get(then, joined)}
    assert len(smtp_sink.to(f"crowd-{then}@example.com")) == 3


def test_the_window_slides(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    """In no hour more than two, wherever it begins."""
    cap(rest, 2, "drop")
    journey.publish(MAIL, templates=HELLO)
    sent = []
    for _ in range(4):
        run = journey.start("anna", email="slides@example.com")
        journey.work()
        sent.append(journey.delivery(run).status)
        age(journey, 25)

    assert sent == ["delivered", "delivered", "suppressed", "delivered"]


BAD = [
    ({"caps": [{"name": "a", "channel": "in_app", "limit": 1, "per": "P1D", "then": "drop"}]}, "/caps/0/channel"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 0, "per": "P1D", "then": "drop"}]}, "/caps/0/limit"),
    ({"caps": [{"name": "a", "channel": "email", "limit": True, "per": "P1D", "then": "drop"}]}, "/caps/0/limit"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "a day", "then": "drop"}]}, "/caps/0/per"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P32D", "then": "drop"}]}, "/caps/0/per"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P1D", "then": "lose"}]}, "/caps/0/then"),
    ({"caps": [{"name": "A b", "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}]}, "/caps/0/name"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P1D", "then": "drop", "x": 1}]}, "/caps/0/x"),
    ({"caps": [{"name": "a", "channel": "email", "limit": 1, "per": "P1D", "then": "drop"}] * 2}, "/caps/1/name"),
    ({"caps": {}}, "/caps"),
    ({"cap": []}, "/cap"),
]


@pytest.mark.parametrize(("body", "path"), BAD)
def test_a_bad_cap_is_named_and_nothing_is_written(
    body: dict[str, Any], path: str, rest: APIClient, tenant: Tenant
) -> None:
    answer = rest.put("/v1/sending-rules", body)

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, path)
    assert rows_of(tenant, (SendingRules,)) == [0]


def test_the_database_clock_decides(rest: APIClient, journey: Journey, smtp_sink: Mailbox) -> None:
    cap(rest, 1, "delay")
    journey.publish(MAIL, templates=HELLO)
    before = database_now()
    run = journey.start("anna", email="clock@example.com")
    journey.work()

    counted = journey.delivery(run).counted_at
    assert counted is not None
    assert before <= counted <= database_now()
