"""Signals in REST."""

import threading
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py import nudges
from signals_app import verdict_reader
from signals_app.models import Signal
from signals_app.verdict_reader import CandidateVerdict
from signals_app.verdicts import Verdict
from tenants.models import Tenant
from tenants.scope import tenant_scope

RECEIPT = {"id", "external_id", "status", "received_at"}


def count(tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return Signal.objects.count()


def test_a_signal_is_answered_with_a_receipt_after_it_is_stored(rest: APIClient, tenant: Tenant) -> None:
    answer = rest.post(
        "/v1/signals",
        {
            "name": "invoice.paid",
            "subject": "u1",
            "correlation": {"invoice_id": "in_1", "attempt": 2},
            "data": {"amount": 4900},
            "external_id": "e1",
            "occurred_at": "2026-11-20T09:30:00+01:00",
        },
    )

    assert answer.status_code == 202
    assert answer.json().keys() == RECEIPT
    stored = rest.get(f"/v1/signals/{answer.json()['id']}").json()
    assert stored["correlation"] == {"invoice_id": "in_1", "attempt": "2"}
    assert stored["occurred_at"] == "2026-11-20T08:30:00Z"
    assert (stored["verdict"], stored["verdicts"]) == (None, [])


def test_a_duplicate_is_200_with_the_first_receipt_and_another_body_409(rest: APIClient, tenant: Tenant) -> None:
    first = rest.post("/v1/signals", {"name": "a", "external_id": "e1"})

    again = rest.post("/v1/signals", {"name": "a", "external_id": "e1"})
    other = rest.post("/v1/signals", {"name": "b", "external_id": "e1"})

    assert (again.status_code, again.json()) == (200, first.json() | {"status": "duplicate"})
    assert (other.status_code, other.json()["code"]) == (409, "signal_conflict")
    assert count(tenant) == 1


def test_fifty_posts_at_once_are_one_signal(
    client_of: Callable[..., APIClient], tenant: Tenant, together: Callable[..., list[Any]]
) -> None:
    clients = [client_of(tenant) for _ in range(50)]
    body = {"name": "a", "external_id": "e1", "data": {"x": 1}}

    answers = together(*[lambda client=client: client.post("/v1/signals", body) for client in clients])

    assert sorted(answer.status_code for answer in answers) == [200] * 49 + [202]
    assert len({(answer.json()["id"], answer.json()["received_at"]) for answer in answers}) == 1
    assert count(tenant) == 1


@pytest.mark.parametrize(
    ("body", "path", "code"),
    [
        ({}, "/name", "missing"),
        ({"name": 5}, "/name", "bad_type"),
        ({"name": "No"}, "/name", "bad_name"),
        ({"name": "a\n"}, "/name", "bad_name"),
        ({"name": "a", "subject": None}, "/subject", "bad_type"),
        ({"name": "a", "data": []}, "/data", "bad_type"),
        ({"name": "a", "correlation": "x"}, "/correlation", "bad_type"),
        ({"name": "a", "correlation": {"k": {}}}, "/correlation/k", "bad_value"),
        ({"name": "a", "occurred_at": 5}, "/occurred_at", "bad_type"),
        ({"name": "a", "occurred_at": "2026-11-20"}, "/occurred_at", "bad_time"),
        ({"name": "a", "occurred_at": "2026-11-20T00:00:00"}, "/occurred_at", "bad_time"),
        ({"name": "a", "occurred_at": "2026-02-30T00:00:00Z"}, "/occurred_at", "bad_time"),
        ({"name": "a", "occurred_at": "10000-01-01T00:00:00Z"}, "/occurred_at", "bad_time"),
        ({"name": "a", "occurred_at": "9999-12-31T23:59:59-12:00"}, "/occurred_at", "bad_time"),
        ({"name": "a", "occurred_at": "0001-01-01T00:00:00+12:00"}, "/occurred_at", "bad_time"),
        *[
            ({"name": "a", member: "x"}, f"/{member}", "unknown_key")
            for member in ("tenant", "tenant_id", "id", "public_id", "source", "verdict", "routed_at", "seq", "nmae")
        ],
    ],
)
def test_a_signal_that_is_not_valid_is_400_by_path(
    rest: APIClient, tenant: Tenant, body: dict[str, Any], path: str, code: str
) -> None:
    answer = rest.post("/v1/signals", body)

    assert answer.status_code == 400
    assert [(found["path"], found["code"]) for found in answer.json()["detail"]] == [(path, code)]
    assert count(tenant) == 0


def test_a_broker_that_does_not_answer_delays_nobody(rest: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, release = threading.Event(), threading.Event()
    monkeypatch.setattr(nudges.current_app, "send_task", lambda *_, **__: asked.set() or release.wait(20))

    answers = [rest.post("/v1/signals", {"name": "a"}) for _ in range(3)]

    assert asked.wait(10)
    assert not release.is_set()  # all three were answered while the first message was still on its way
    assert [answer.status_code for answer in answers] == [202] * 3
    release.set()


def test_a_batch_is_answered_in_its_order(rest: APIClient, tenant: Tenant) -> None:
    answer = rest.post("/v1/signals/batch", {"signals": [{"name": "a", "external_id": str(n)} for n in range(1000)]})

    assert answer.status_code == 202
    assert [receipt["external_id"] for receipt in answer.json()["receipts"]] == [str(n) for n in range(1000)]
    assert count(tenant) == 1000


@pytest.mark.parametrize(
    ("items", "path"),
    [
        ([], "/signals"),
        ([{"name": "a"}] * 1001, "/signals"),
        ("x", "/signals"),
        ([{"name": "a"}, 5], "/signals/1"),
        ([{"name": "a"}, {"name": "No"}], "/signals/1/name"),
        ([{"name": "a"}, {}], "/signals/1/name"),
    ],
)
def test_one_fault_and_nothing_of_a_batch_is_written(rest: APIClient, tenant: Tenant, items: Any, path: str) -> None:
    answer = rest.post("/v1/signals/batch", {"signals": items})

    assert answer.status_code == 400
    assert [found["path"] for found in answer.json()["detail"]] == [path]
    assert count(tenant) == 0


def test_one_conflict_and_nothing_of_a_batch_is_written(rest: APIClient, tenant: Tenant) -> None:
    rest.post("/v1/signals", {"name": "a", "external_id": "e1"})

    answer = rest.post("/v1/signals/batch", {"signals": [{"name": "a"}, {"name": "b", "external_id": "e1"}]})

    assert answer.status_code == 409
    assert answer.json()["detail"] == [{"index": 1, "external_id": "e1"}]
    assert count(tenant) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, ["3", "2", "1"]),
        ({"name": "a"}, ["2", "1"]),
        ({"subject": "u2"}, ["3", "2"]),
        ({"verdict": "matched"}, ["2"]),
        ({"source": "api"}, ["3", "2", "1"]),
        ({"source": "inbox"}, []),
        ({"name": "a", "subject": "u2"}, ["2"]),
    ],
)
def test_the_list_is_filtered(rest: APIClient, tenant: Tenant, query: dict[str, str], expected: list[str]) -> None:
    for number, name, subject in [("1", "a", "u1"), ("2", "a", "u2"), ("3", "b", "u2")]:
        rest.post("/v1/signals", {"name": name, "subject": subject, "external_id": number})
    with tenant_scope(tenant.pk):
        Signal.objects.filter(external_id="2").update(verdict=Verdict.MATCHED)

    answer = rest.get("/v1/signals", query)

    assert [item["external_id"] for item in answer.json()["items"]] == expected


def test_an_unknown_verdict_is_400(rest: APIClient) -> None:
    assert rest.get("/v1/signals", {"verdict": "lost"}).json()["detail"][0]["path"] == "/verdict"


def test_the_list_and_the_signal_hold_no_payload(rest: APIClient) -> None:
    posted = rest.post("/v1/signals", {"name": "a", "data": {"card": "canary-4711"}}).json()

    assert b"canary" not in rest.get("/v1/signals").content
    assert b"canary" not in rest.get(f"/v1/signals/{posted['id']}").content


def test_a_signal_shows_the_verdict_of_every_candidate_run(rest: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    told = CandidateVerdict(uuid.uuid4(), "dunning", "grace", "late", "run_finished", datetime(2026, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(verdict_reader, "_readers", [])
    verdict_reader.register_verdict_reader(lambda tenant_id, signal_id: [told])
    posted = rest.post("/v1/signals", {"name": "a"}).json()

    (shown,) = rest.get(f"/v1/signals/{posted['id']}").json()["verdicts"]

    assert (shown["run"], shown["definition"], shown["step"]) == (str(told.run), "dunning", "grace")
    assert (shown["verdict"], shown["reason"]) == ("late", "run_finished")


def test_another_tenants_signal_is_missing_in_the_same_shape(
    client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = client_of(other_tenant).post("/v1/signals", {"name": "a"}).json()
    mine = client_of(tenant)

    answers = [mine.get(f"/v1/signals/{public_id}") for public_id in (theirs["id"], uuid.uuid4())]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert {**answers[0].json(), "request_id": ""} == {**answers[1].json(), "request_id": ""}
    assert mine.get("/v1/signals").json()["items"] == []


def test_a_cursor_of_another_tenant_shows_nothing_of_it(
    client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = client_of(other_tenant)
    for _ in range(3):
        theirs.post("/v1/signals", {"name": "a"})
    cursor = theirs.get("/v1/signals", {"limit": 1}).json()["next"]

    assert client_of(tenant).get("/v1/signals", {"cursor": cursor}).json() == {"items": [], "next": None}
