"""One run: itself, its explanation, its trace, its attempts; and the explanation of a signal."""

import json
import uuid
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.explain.test_explain_run import CANARY, mail_run
from tests.journeys import drain, paid, run_of, send, waiting_run
from workflows.api.explain_schemas import ExplanationSerializer, SignalExplanationSerializer
from workflows.services.work import claim_work, finish_work
from workflows.steps.base import Outcome


@pytest.fixture
def run(tenant: Tenant) -> str:
    """The address of a waiting run with three lines."""
    return f"/v1/runs/{run_of(tenant, waiting_run(tenant)).public_id}"


@pytest.fixture
def mailed(tenant: Tenant) -> str:
    """The address of a run whose mail failed once and then arrived."""
    run_id = mail_run(tenant)
    for outcome in (Outcome("temporary_failure", "smtp_421", retryable=True, retry_after=0), Outcome("delivered")):
        claim = claim_work(tenant_id=tenant.pk, worker="w", now=run_of(tenant, run_id).began_at.replace(year=2031))
        assert claim is not None
        finish_work(claim=claim, outcome=outcome)
    return f"/v1/runs/{run_of(tenant, run_id).public_id}"


def test_a_run(rest: APIClient, run: str) -> None:
    shown = rest.get(run).json()

    assert shown["id"] == run.rpartition("/")[2]
    assert (shown["state"], shown["step"], shown["visits"], shown["revision"]) == ("waiting", "grace", {"grace": 1}, 3)
    assert not {"steps", "attempts", "transitions", "data"} & set(shown)


def test_a_run_with_all_there_is(rest: APIClient, mailed: str) -> None:
    response = rest.get(f"{mailed}?include=steps,attempts,transitions")

    shown = response.json()
    assert [(one["step"], one["status"], one["attempts_made"]) for one in shown["steps"]] == [("email", "succeeded", 2)]
    assert [(one["number"], one["outcome"], one["error"]) for one in shown["attempts"]] == [
        (1, "temporary_failure", "smtp_421"),
        (2, "delivered", ""),
    ]
    assert [one["seq"] for one in shown["transitions"]] == list(range(1, shown["revision"] + 1))
    assert CANARY not in response.content.decode()


def test_what_else_is_asked_of_a_run_is_refused(rest: APIClient, run: str) -> None:
    for query in ("include=payload", "includes=steps"):
        assert rest.get(f"{run}?{query}").status_code == 400


def test_the_explanation_is_as_its_schema_says(rest: APIClient, run: str, mailed: str) -> None:
    for address in (run, mailed):
        said = rest.get(f"{address}/explain").json()
        assert set(said) == set(ExplanationSerializer().fields)
        reader = ExplanationSerializer(data=said)
        assert reader.is_valid(), reader.errors
        assert said["sentence"].startswith("Waiting at ")


def test_the_explanation_of_a_signal_is_as_its_schema_says(tenant: Tenant, rest: APIClient, run: str) -> None:
    for receipt in (paid(tenant), send(tenant, "weather.changed")):
        drain(tenant)
        said = rest.get(f"/v1/signals/{receipt.public_id}/explain").json()
        assert set(said) == set(SignalExplanationSerializer().fields)
        assert SignalExplanationSerializer(data=said).is_valid()


def test_a_signal_shows_its_verdicts_per_run(tenant: Tenant, rest: APIClient, run: str) -> None:
    receipt = paid(tenant)
    drain(tenant)

    (verdict,) = rest.get(f"/v1/signals/{receipt.public_id}").json()["verdicts"]

    assert (verdict["run"], verdict["verdict"]) == (run.rpartition("/")[2], "matched")


def test_the_trace_by_cursor(rest: APIClient, run: str) -> None:
    whole = rest.get(f"{run}/trace").json()
    first = rest.get(f"{run}/trace?limit=2").json()
    second = rest.get(f"{run}/trace?limit=2&after={first['next']}").json()

    assert [line["seq"] for line in whole["items"]] == [1, 2, 3]
    assert (whole["next"], first["next"], second["next"]) == (None, 2, None)
    assert first["items"] + second["items"] == whole["items"]
    assert whole["items"][1]["prev_hash"] == whole["items"][0]["hash"]
    assert rest.get(f"{run}/trace?limit=0").json() == {"items": [], "next": None}


@pytest.mark.parametrize(
    "query", ["limit=-1", "limit=x", "limit=1001", "limit=1e2", "limit=²", "after=-1", "after=x", "from=1"]
)
def test_a_bad_cursor_or_limit_is_refused(rest: APIClient, run: str, query: str) -> None:
    response = rest.get(f"{run}/trace?{query}")

    assert (response.status_code, response.json()["code"]) == (400, "invalid")


def test_the_http_method_trace_shows_nothing(rest: APIClient, run: str) -> None:
    assert rest.generic("TRACE", f"{run}/trace").status_code == 405


def test_attempts_by_page(rest: APIClient, mailed: str) -> None:
    first = rest.get(f"{mailed}/attempts?limit=1").json()
    second = rest.get(f"{mailed}/attempts?limit=1&cursor={first['next']}").json()

    assert [one["outcome"] for one in first["items"] + second["items"]] == ["temporary_failure", "delivered"]
    assert second["next"] is None


@pytest.mark.parametrize("view", ["", "/explain", "/trace", "/attempts"])
def test_a_key_without_the_scope_sees_nothing(tenant: Tenant, client_of: Any, run: str, view: str) -> None:
    assert client_of(tenant, ["runs:write"]).get(f"{run}{view}").status_code == 403


@pytest.mark.parametrize("view", ["", "/explain", "/trace", "/attempts"])
def test_what_is_missing_and_what_is_another_tenants_look_the_same(
    other_tenant: Tenant, client_of: Any, run: str, view: str
) -> None:
    stranger = client_of(other_tenant)

    foreign, missing = stranger.get(f"{run}{view}"), stranger.get(f"/v1/runs/{uuid.uuid4()}{view}")

    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert _but_request_id(foreign) == _but_request_id(missing)
    assert foreign.json()["code"] == "run_not_found"


def test_another_tenants_signal_is_not_explained(tenant: Tenant, other_tenant: Tenant, client_of: Any) -> None:
    receipt = paid(tenant)

    assert client_of(other_tenant).get(f"/v1/signals/{receipt.public_id}/explain").status_code == 404


def _but_request_id(response: Any) -> str:
    return json.dumps({**response.json(), "request_id": ""})
