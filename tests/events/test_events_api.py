"""Events and their subscriptions in REST."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.events.listening import Subscriber
from tests.journeys import rows_of, run_of, waiting_run
from workflows.events.subscriptions import MOST_SUBSCRIPTIONS
from workflows.events.turn import events_turn
from workflows.models import Event, EventDispatch, EventSubscription

URL = "https://example.com/events"
PLACE = "/v1/event-subscriptions/crm"


def put(rest: APIClient, **given: Any) -> Any:
    return rest.put(PLACE, {"url": URL} | given, format="json")


def test_a_subscription_is_made_once_and_shows_its_secret_once(rest: APIClient) -> None:
    made, again = put(rest, types=["run.failed"], description="To the CRM"), put(rest)

    assert (made.status_code, again.status_code) == (201, 200)
    assert made.json()["secret"].startswith("whsec_")
    assert again.json()["secret"] == ""
    assert (made.json()["types"], again.json()["types"]) == (["run.failed"], [])
    shown = rest.get(PLACE).json()
    assert "secret" not in shown
    assert [sorted(entry) for entry in shown["secrets"]] == [["created_at", "not_after"]]
    assert [one["key"] for one in rest.get("/v1/event-subscriptions").json()["items"]] == ["crm"]


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"url": "http://example.com/"}, "/url"),
        ({"url": "https://10.0.0.1/"}, "/url"),
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://user:word@example.com/"}, "/url"),
        ({"types": ["run.exploded"]}, "/types/0"),
        ({"types": ["ping"]}, "/types/0"),
        ({"types": "run.failed"}, "/types"),
        ({"description": "x" * 201}, "/description"),
        ({"secret": "mine"}, "/secret"),
        ({"enabled": "perhaps"}, "/enabled"),
    ],
)
def test_what_cannot_be_sent_to_is_refused(tenant: Tenant, rest: APIClient, given: dict[str, Any], path: str) -> None:
    answer = put(rest, **given)

    assert (answer.status_code, [one["path"] for one in answer.json()["detail"]]) == (400, [path])
    assert rows_of(tenant, [EventSubscription]) == [0]


def test_a_key_is_of_letters_digits_and_lines(rest: APIClient) -> None:
    answer = rest.put("/v1/event-subscriptions/Not-OK", {"url": URL}, format="json")

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/key")


def test_there_is_an_end_to_subscriptions(tenant: Tenant, rest: APIClient) -> None:
    for n in range(MOST_SUBSCRIPTIONS):
        assert rest.put(f"/v1/event-subscriptions/s{n}", {"url": URL}, format="json").status_code == 201

    answer = put(rest)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_subscriptions")
    assert rows_of(tenant, [EventSubscription]) == [MOST_SUBSCRIPTIONS]
    assert rest.put("/v1/event-subscriptions/s0", {"url": URL}, format="json").status_code == 200


def test_three_secrets_at_most_are_live(rest: APIClient) -> None:
    put(rest)

    answers = [rest.post(f"{PLACE}/rotate-secret", {"overlap": "P1D"}, format="json") for _ in range(3)]

    assert [one.status_code for one in answers] == [201, 201, 409]
    assert answers[2].json()["code"] == "too_many_secrets"
    assert len({one.json()["secret"] for one in answers[:2]}) == 2
    wrong = rest.post(f"{PLACE}/rotate-secret", {"overlap": "a day"}, format="json")
    assert (wrong.status_code, wrong.json()["detail"][0]["path"]) == (400, "/overlap")


def test_an_event_shows_how_it_went(tenant: Tenant, rest: APIClient, subscribe: Callable[..., Subscriber]) -> None:
    crm = subscribe(types=["run.created", "run.waiting"], status=503)
    run = run_of(tenant, waiting_run(tenant))
    events_turn(tenant_id=tenant.pk)

    listed = rest.get(f"/v1/events?run={run.public_id}").json()["items"]
    assert [one["type"] for one in listed] == ["run.waiting", "run.created"]
    assert [one["type"] for one in rest.get("/v1/events?type=run.created").json()["items"]] == ["run.created"]
    shown = rest.get(f"/v1/events/{listed[1]['id']}").json()
    (owed,) = shown["dispatches"]
    assert (owed["subscription"], owed["status"], owed["attempts_made"]) == ("crm", "owed", 1)
    assert [(one["number"], one["status_code"], one["error"]) for one in owed["attempts"]] == [(1, 503, "http 503")]
    assert rest.get(PLACE).json()["failing_since"] is not None

    owed_now = rest.get(f"{PLACE}/dispatches?status=owed").json()["items"]
    assert [one["event_id"] for one in owed_now] == [one["id"] for one in listed]
    assert rest.get(f"{PLACE}/dispatches?status=delivered").json()["items"] == []
    crm.answer(204)
    crm.make_due()
    events_turn(tenant_id=tenant.pk)
    assert len(rest.get(f"{PLACE}/dispatches?status=delivered&limit=1").json()["items"]) == 1
    again = rest.post(f"/v1/events/{listed[0]['id']}/resend", {"subscription": "crm"}, format="json")
    assert (again.status_code, again.json()["status"]) == (202, "owed")


@pytest.mark.parametrize("query", ["type=run.exploded", "run=me", "state=failed", "limit=-1", "cursor=x"])
def test_a_question_that_means_nothing_is_refused(rest: APIClient, query: str) -> None:
    assert rest.get(f"/v1/events?{query}").status_code == 400
    put(rest)
    assert rest.get(f"{PLACE}/dispatches?{query}").status_code == 400


def test_a_range_is_counted_and_replayed(tenant: Tenant, rest: APIClient, subscribe: Callable[..., Subscriber]) -> None:
    subscribe(types=["run.created"])
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    asked = {"from": "2026-01-01T00:00:00Z", "include_delivered": True}

    dry = rest.post(f"{PLACE}/replay", asked | {"dry_run": True}, format="json")
    assert (dry.status_code, dry.json()) == (200, {"count": 1, "next_after": None})
    assert rest.post(f"{PLACE}/replay", asked, format="json").json()["count"] == 1
    assert events_turn(tenant_id=tenant.pk) == 1


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({}, "/from"),
        ({"from": "yesterday"}, "/from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "/to"),
        ({"after": "first"}, "/after"),
        ({"since": "2026-01-02T00:00:00Z"}, "/since"),
    ],
)
def test_a_range_that_means_nothing_is_refused(rest: APIClient, asked: dict[str, Any], path: str) -> None:
    put(rest)

    answer = rest.post(f"{PLACE}/replay", asked, format="json")
    assert (answer.status_code, [one["path"] for one in answer.json()["detail"]]) == (400, [path])


def test_a_ping_answers_with_its_event(tenant: Tenant, rest: APIClient, subscribe: Callable[..., Subscriber]) -> None:
    crm = subscribe()
    event = rest.post(f"{PLACE}/ping")
    events_turn(tenant_id=tenant.pk)

    assert event.status_code == 202
    assert crm.ids == [event.json()["id"]]
    shown = rest.get(f"/v1/events/{event.json()['id']}").json()
    assert [one["status"] for one in shown["dispatches"]] == ["delivered"]


def test_the_same_ping_is_sent_once_under_one_key(tenant: Tenant, rest: APIClient) -> None:
    put(rest)
    headers = {"HTTP_IDEMPOTENCY_KEY": uuid.uuid4().hex}

    answers = [rest.post(f"{PLACE}/ping", **headers).json()["id"] for _ in range(2)]

    assert answers[0] == answers[1]
    assert rows_of(tenant, [Event, EventDispatch]) == [1, 1]


def test_it_is_forgotten(rest: APIClient) -> None:
    put(rest)

    assert [rest.delete(PLACE).status_code for _ in range(2)] == [204, 404]
    assert rest.get(PLACE).json()["code"] == "subscription_not_found"


def test_a_key_that_only_reads_changes_nothing(
    tenant: Tenant, rest: APIClient, client_of: Callable[..., APIClient]
) -> None:
    put(rest)
    reader = client_of(tenant, ["definitions:read", "runs:read"])

    assert reader.get(PLACE).status_code == 200
    assert reader.get("/v1/events").status_code == 200
    refused = [reader.put(PLACE, {"url": URL}), reader.delete(PLACE), reader.post(f"{PLACE}/ping")]
    assert [one.status_code for one in refused] == [403] * 3
