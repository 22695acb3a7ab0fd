"""POST …/cancel, …/wake and /v1/runs/cancel."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.explain.test_explain_run import mail_run
from tests.journeys import GRACE, drain, end_of, moves_of, publish, rows_of, run_of, start, waiting_run
from workflows.services.work import claim_work

BODIES = {
    "approve": {"actor": "ada"},
    "reject": {"actor": "ada"},
    "settle": {"step": "email", "outcome": "delivered", "reason": "seen"},
}


def address(tenant: Tenant, run_id: int) -> str:
    return f"/v1/runs/{run_of(tenant, run_id).public_id}"


def test_cancelling_ends_the_run_at_once(tenant: Tenant, rest: APIClient) -> None:
    run_id = waiting_run(tenant)

    response = rest.post(f"{address(tenant, run_id)}/cancel", {"reason": "customer asked"})

    run = run_of(tenant, run_id)
    assert response.status_code == 200
    assert response.json() == {
        "id": str(run.public_id),
        "verdict": "moved",
        "state": "cancelled",
        "revision": run.revision,
        "in_flight": [],
        "compensates": [],
        "why": "",
        "replay": None,
    }
    assert response.headers["ETag"] == f'"{run.revision}"'
    assert (run.state, end_of(tenant, run_id)) == ("cancelled", "customer asked")
    assert moves_of(tenant, run_id)[-1] == ("waiting", "cancelled", "api", "cancelled")


def test_cancelling_again_changes_nothing(tenant: Tenant, rest: APIClient) -> None:
    run_id = waiting_run(tenant)
    rest.post(f"{address(tenant, run_id)}/cancel", {"reason": "first"})
    before = moves_of(tenant, run_id)

    response = rest.post(f"{address(tenant, run_id)}/cancel", {"reason": "second"})

    assert (response.status_code, response.json()["verdict"], response.json()["state"]) == (200, "refused", "cancelled")
    assert moves_of(tenant, run_id) == before
    assert end_of(tenant, run_id) == "first"


def test_cancelling_names_the_attempt_in_flight(tenant: Tenant, rest: APIClient) -> None:
    run_id = mail_run(tenant)
    claim_work(tenant_id=tenant.pk, worker="w")

    response = rest.post(f"{address(tenant, run_id)}/cancel")

    assert response.json()["in_flight"] == ["email attempt 1"]


def test_waking_goes_on_where_the_timer_would(tenant: Tenant, rest: APIClient) -> None:
    run_id = waiting_run(tenant)

    response = rest.post(f"{address(tenant, run_id)}/wake", {"reason": "test"})

    assert (response.json()["verdict"], run_of(tenant, run_id).step) == ("moved", "second")


def test_waking_what_does_not_wait_is_refused(tenant: Tenant, rest: APIClient) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning")

    response = rest.post(f"{address(tenant, run_id)}/wake", {"reason": "test"})

    assert (response.status_code, response.json()["verdict"], response.json()["state"]) == (200, "refused", "pending")
    assert len(moves_of(tenant, run_id)) == 1


def test_actions_are_allowed_exactly_when_they_are_accepted(tenant: Tenant, rest: APIClient) -> None:
    publish(tenant, GRACE)
    mailing, waiting, ended = mail_run(tenant), waiting_run(tenant), waiting_run(tenant)
    pending = start(tenant, "dunning", "x")  # after the others: they let the engine take up whatever is due
    rest.post(f"{address(tenant, ended)}/cancel")

    for run_id in (pending, mailing, waiting, ended):
        for action in rest.get(f"{address(tenant, run_id)}/explain").json()["actions"][::-1]:  # wake, then cancel
            said = rest.get(f"{address(tenant, run_id)}/explain").json()["actions"]
            allowed = next(one["allowed"] for one in said if one["name"] == action["name"])
            answer = rest.post(f"{address(tenant, run_id)}/{action['name']}", BODIES.get(action["name"]))
            accepted = answer.status_code in {200, 201} and answer.json().get("verdict") != "refused"
            assert accepted == allowed, (run_id, action)


def test_cancelling_many(tenant: Tenant, rest: APIClient) -> None:
    first, second = waiting_run(tenant), waiting_run(tenant)
    ids = [str(run_of(tenant, run_id).public_id) for run_id in (second, first, second)]
    rest.post(f"{address(tenant, first)}/cancel")

    response = rest.post("/v1/runs/cancel", {"runs": ids, "reason": "cleaning up"})

    verdicts = [(one["id"], one["verdict"]) for one in response.json()["runs"]]
    assert verdicts == [(ids[0], "moved"), (ids[1], "refused")]  # in the order of the request, each once


def test_one_that_is_missing_and_none_is_cancelled(tenant: Tenant, other_tenant: Tenant, rest: APIClient) -> None:
    run_id, foreign = waiting_run(tenant), waiting_run(other_tenant)
    mine, theirs = (str(run_of(*one).public_id) for one in ((tenant, run_id), (other_tenant, foreign)))

    for stranger in (theirs, str(uuid.uuid4())):
        response = rest.post("/v1/runs/cancel", {"runs": [mine, stranger], "reason": "no"})
        assert (response.status_code, response.json()["detail"]) == (404, {"runs": [stranger]})
    assert run_of(tenant, run_id).state == run_of(other_tenant, foreign).state == "waiting"


@pytest.mark.parametrize(
    ("path", "body", "fault"),
    [
        ("{run}/cancel", {"reason": "x" * 65}, "/reason"),
        ("{run}/cancel", {"reason": 7, "force": True}, "/force"),
        ("{run}/wake", {"state": "completed"}, "/state"),
        ("/v1/runs/cancel", {"runs": [], "reason": "x"}, "/runs"),
        ("/v1/runs/cancel", {"runs": ["x"], "reason": "x"}, "/runs/0"),
        ("/v1/runs/cancel", {"reason": "x"}, "/runs"),
    ],
)
def test_a_bad_body_is_refused(tenant: Tenant, rest: APIClient, path: str, body: dict[str, Any], fault: str) -> None:
    run_id = waiting_run(tenant)

    response = rest.post(path.format(run=address(tenant, run_id)), body)

    assert response.status_code == 400
    assert [one["path"] for one in response.json()["detail"]] == [fault]
    assert run_of(tenant, run_id).state == "waiting"


@pytest.mark.parametrize("verb", ["cancel", "wake"])
def test_another_tenants_run_is_not_there_and_nothing_is_written(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient], verb: str
) -> None:
    run_id = waiting_run(tenant)
    before = rows_of(tenant)

    response = client_of(other_tenant).post(f"{address(tenant, run_id)}/{verb}", {"reason": "no"})

    assert (response.status_code, response.json()["code"]) == (404, "run_not_found")
    assert (rows_of(tenant), rows_of(other_tenant)) == (before, [0, 0, 0, 0])
    drain(tenant)
    assert run_of(tenant, run_id).state == "waiting"


def test_a_key_that_may_only_read(tenant: Tenant, client_of: Callable[..., APIClient]) -> None:
    run_id = waiting_run(tenant)
    reader = client_of(tenant, ["runs:read"])

    assert reader.post(f"{address(tenant, run_id)}/cancel", {"reason": "no"}).status_code == 403
    assert run_of(tenant, run_id).state == "waiting"
