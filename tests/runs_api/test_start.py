"""POST /v1/runs: one, many, later, again."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, publish, rows_of, run_of
from workflows.models import Run

ONE = {"workflow": "dunning", "subject": "ada", "correlation": {"invoice_id": 42}}


@pytest.fixture(autouse=True)
def _published(tenant: Tenant) -> None:
    publish(tenant, GRACE)


def runs_of(tenant: Tenant) -> list[Run]:
    with tenant_scope(tenant.pk):
        return list(Run.objects.for_tenant(tenant.pk).order_by("id"))


def faults_of(response: Any) -> dict[str, str]:
    assert response.status_code == 400
    return {one["path"]: one["code"] for one in response.json()["detail"]}


def test_one_run(tenant: Tenant, rest: APIClient) -> None:
    response = rest.post("/v1/runs", ONE | {"data": {"amount": 5}})

    (run,) = runs_of(tenant)
    assert response.status_code == 201
    assert response.json() == {
        "runs": [{"id": str(run.public_id), "created": True, "skipped": False, "cancelled": False}]
    }
    assert (run.subject, run.correlation, run.state) == ("ada", {"invoice_id": "42"}, "pending")
    assert (run.started_by, len(run.started_by_ref)) == ("api", 12)  # the prefix of the key
    assert bytes(run.data_sha) != b""


def test_many_subjects_alike(tenant: Tenant, rest: APIClient) -> None:
    body = {"workflow": "dunning", "version": 1, "subjects": ["ada", "bob"], "idempotency_key": "week 7"}

    first, second = rest.post("/v1/runs", body), rest.post("/v1/runs", body)

    assert (first.status_code, second.status_code) == (201, 200)
    assert [one["id"] for one in second.json()["runs"]] == [one["id"] for one in first.json()["runs"]]
    assert [one["created"] for one in second.json()["runs"]] == [False, False]
    assert [(run.subject, run.idempotency_key) for run in runs_of(tenant)] == [
        ("ada", "week 7:ada"),
        ("bob", "week 7:bob"),
    ]


def test_runs_that_each_say_their_own(tenant: Tenant, rest: APIClient) -> None:
    at = "2027-01-31T09:00:00+01:00"
    runs = [
        {"subject": "ada", "idempotency_key": "1"},
        {"subject": "bob", "at": at},
        {"subject": "ada", "idempotency_key": "1"},
    ]

    response = rest.post("/v1/runs", {"workflow": "dunning", "runs": runs})

    answers = response.json()["runs"]
    assert [one["created"] for one in answers] == [True, True, False]
    assert answers[0]["id"] == answers[2]["id"]
    later = runs_of(tenant)[1]
    assert (later.status_reason, later.due_at) == ("scheduled", datetime(2027, 1, 31, 8, tzinfo=UTC))


def test_a_thousand_and_no_more(tenant: Tenant, rest: APIClient) -> None:
    subjects = [f"s{n}" for n in range(1001)]

    assert faults_of(rest.post("/v1/runs", {"workflow": "dunning", "subjects": subjects})) == {
        "/subjects": "bad_length"
    }
    assert rows_of(tenant) == [0, 0, 0, 0]
    assert len(rest.post("/v1/runs", {"workflow": "dunning", "subjects": subjects[:1000]}).json()["runs"]) == 1000


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"workflow": None}, {"/workflow": "missing"}),
        ({"workflow": 7}, {"/workflow": "bad_type"}),
        ({"subject": None}, {"/subject": "missing"}),
        ({"subject": ""}, {"/subject": "bad_subject"}),
        ({"subject": "x" * 201}, {"/subject": "bad_subject"}),
        ({"subjects": ["bob"]}, {"/subjects": "conflict"}),
        ({"subject": None, "subjects": []}, {"/subjects": "bad_length"}),
        ({"subject": None, "subjects": ["bob", 7]}, {"/subjects/1": "bad_type"}),
        ({"subject": None, "subjects": ["bob", ""]}, {"/subjects/1": "bad_subject"}),
        ({"subject": None, "subjects": ["a", "b"], "correlation": {"x": 1}}, {"/correlation/x": "undeclared"}),
        ({"subject": None, "runs": [{"subject": "ada"}]}, {"/correlation": "conflict"}),
        ({"subject": None, "correlation": None, "runs": [{"subject": "ada"}, {}]}, {"/runs/1/subject": "missing"}),
        ({"subject": None, "correlation": None, "runs": ["ada"]}, {"/runs/0": "bad_type"}),
        (
            {"subject": None, "correlation": None, "runs": [{"subject": "ada", "state": "active"}]},
            {"/runs/0/state": "unknown_key"},
        ),
        (
            {
                "subject": None,
                "correlation": None,
                "runs": [{"subject": "a"}, {"subject": "b", "correlation": {"y": 1}}],
            },
            {"/runs/1/correlation/y": "undeclared"},
        ),
        ({"correlation": {"invoice_id": {"a": 1}}}, {"/correlation/invoice_id": "bad_value"}),
        ({"version": 0}, {"/version": "bad_version"}),
        ({"version": True}, {"/version": "bad_type"}),
        ({"at": "2027-01-31T09:00:00"}, {"/at": "bad_time"}),
        ({"at": "tomorrow"}, {"/at": "bad_time"}),
        ({"idempotency_key": "x" * 256}, {"/idempotency_key": "bad_key"}),
        ({"tenant": 1, "seq": 9}, {"/tenant": "unknown_key", "/seq": "unknown_key"}),
    ],
)
def test_every_fault_is_named_and_nothing_is_written(
    tenant: Tenant, rest: APIClient, change: dict[str, Any], expected: dict[str, str]
) -> None:
    body = {name: value for name, value in (ONE | change).items() if value is not None}

    assert faults_of(rest.post("/v1/runs", body)) == expected
    assert rows_of(tenant) == [0, 0, 0, 0]


@pytest.mark.parametrize("change", [{"workflow": "nothing"}, {"version": 2}])
def test_a_definition_that_is_not_published(tenant: Tenant, rest: APIClient, change: dict[str, Any]) -> None:
    response = rest.post("/v1/runs", ONE | change)

    assert (response.status_code, response.json()["code"]) == (404, "definition_not_found")
    assert rows_of(tenant) == [0, 0, 0, 0]


def test_the_same_key_with_another_request_is_a_conflict(tenant: Tenant, rest: APIClient) -> None:
    rest.post("/v1/runs", ONE | {"idempotency_key": "k"})
    before = rows_of(tenant)

    body = {"workflow": "dunning", "runs": [{"subject": "new"}, {"subject": "bob", "idempotency_key": "k"}]}
    response = rest.post("/v1/runs", body)

    assert (response.status_code, response.json()["code"]) == (409, "start_conflict")
    assert response.json()["detail"] == [{"index": 1, "idempotency_key": "k"}]
    assert rows_of(tenant) == before  # the new one was not started either


def test_ten_starts_at_once_with_one_key_make_one_run(
    tenant: Tenant, client_of: Callable[..., APIClient], together: Callable[..., list[Any]]
) -> None:
    clients = [client_of(tenant) for _ in range(10)]
    body = ONE | {"idempotency_key": "once"}

    answers = together(*(lambda client=client: client.post("/v1/runs", body) for client in clients))

    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert {answer.json()["runs"][0]["id"] for answer in answers} == {str(run.public_id) for run in runs_of(tenant)}
    assert rows_of(tenant)[:2] == [1, 1]


def test_the_header_repeats_the_first_answer(tenant: Tenant, rest: APIClient) -> None:
    first, second = (rest.post("/v1/runs", ONE, HTTP_IDEMPOTENCY_KEY="abc") for _ in range(2))

    assert (first.status_code, second.status_code, second["Idempotency-Replayed"]) == (201, 201, "true")
    assert first.json() == second.json()
    assert len(runs_of(tenant)) == 1


def test_a_key_that_may_not_write(tenant: Tenant, client_of: Callable[..., APIClient]) -> None:
    response = client_of(tenant, ["runs:read"]).post("/v1/runs", ONE)

    assert (response.status_code, response.json()["detail"]) == (403, {"scope": "runs:write"})
    assert rows_of(tenant) == [0, 0, 0, 0]


def test_two_tenants_start_the_same_key_apart(
    tenant: Tenant, other_tenant: Tenant, rest: APIClient, client_of: Callable[..., APIClient]
) -> None:
    body = ONE | {"idempotency_key": "k"}
    rest.post("/v1/runs", body)

    assert client_of(other_tenant).post("/v1/runs", body).status_code == 404  # it has no such definition

    publish(other_tenant, GRACE)
    assert client_of(other_tenant).post("/v1/runs", body).status_code == 201
    assert len(runs_of(tenant)) == len(runs_of(other_tenant)) == 1
    assert run_of(tenant, runs_of(tenant)[0].pk).public_id != runs_of(other_tenant)[0].public_id
