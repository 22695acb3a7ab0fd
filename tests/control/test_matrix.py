"""Every place and every control call: what is accepted moves the run; what is refused writes nothing at all."""

from itertools import product
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.models import Payload, Signal
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.control.places import LEADS, PLACES
from tests.journeys import run_of
from tests.workflows.probe import Probe
from workflows.models import Attempt, Listener, Run, SignalVerdict, StepRun, Transition, Wait
from workflows.states import TERMINAL, RunState

ROWS = (Run, Transition, Wait, StepRun, Attempt, Listener, SignalVerdict, Signal, Payload)
BODIES: dict[str, Any] = {"approve": {"actor": "ada", "comment": "yes"}, "reject": {"actor": "ada", "comment": "no"}}


def everything(tenant: Tenant) -> dict[str, list[Any]]:
    """Every column of every row that the engine keeps for the tenant."""
    with tenant_scope(tenant.pk):
        return {
            model.__name__: list(model.objects.filter(tenant_id=tenant.pk).order_by("pk").values()) for model in ROWS
        }


def test_every_state_has_a_place() -> None:
    assert {state for _, state, _ in PLACES.values()} == set(RunState)


@pytest.mark.parametrize(("place", "call"), list(product(PLACES, LEADS)))
def test_a_call_moves_the_run_or_writes_nothing(
    tenant: Tenant, probe: Probe, rest: APIClient, place: str, call: str
) -> None:
    make, state, accepted = PLACES[place]
    run_id = make(tenant)
    run = run_of(tenant, run_id)
    address = f"/v1/runs/{run.public_id}"
    [offered] = [one for one in rest.get(f"{address}/explain").json()["actions"] if one["name"] == call]
    before = everything(tenant)

    told = rest.post(f"{address}/{call}", BODIES.get(call, {"reason": "a test"})).json()

    assert run.state == state
    assert (told["verdict"] == "moved") == offered["allowed"] == (call in accepted)
    assert told["why"] == offered["why_not"]
    if told["verdict"] == "refused":
        assert everything(tenant) == before
        assert (told["state"], told["revision"]) == (state, run.revision)
    else:
        assert state in LEADS[call]
        assert told["revision"] > run.revision
        assert run_of(tenant, run_id).revision == told["revision"]


@pytest.mark.parametrize("call", list(LEADS))
@pytest.mark.parametrize("place", ["owed", "asked", "paused in a wait", "completed"])
def test_an_older_revision_is_refused_with_both_numbers_and_writes_nothing(
    tenant: Tenant, probe: Probe, rest: APIClient, place: str, call: str
) -> None:
    run = run_of(tenant, PLACES[place][0](tenant))
    before = everything(tenant)

    answer = rest.post(f"/v1/runs/{run.public_id}/{call}", BODIES.get(call, {}), headers={"If-Match": '"1"'})

    assert (answer.status_code, answer.json()["code"]) == (412, "revision_mismatch")
    assert answer.json()["detail"] == {"run": str(run.public_id), "expected": 1, "actual": run.revision}
    assert everything(tenant) == before


@pytest.mark.parametrize("call", list(LEADS))
def test_the_revision_that_was_read_is_accepted(tenant: Tenant, rest: APIClient, call: str) -> None:
    place = "paused in an approval" if call == "resume" else "asked"
    run = run_of(tenant, PLACES[place][0](tenant))
    tag = rest.get(f"/v1/runs/{run.public_id}").headers["ETag"]

    answer = rest.post(f"/v1/runs/{run.public_id}/{call}", BODIES.get(call, {}), headers={"If-Match": tag})

    assert answer.json()["verdict"] == "moved"
    assert answer.headers["ETag"] == f'"{run_of(tenant, run.pk).revision}"' != tag


@pytest.mark.parametrize("tag", ["7", 'W/"7"', '"x"', '"1", "2"', '""', '"99999999999"'])
def test_a_tag_that_is_not_ours_is_a_400(tenant: Tenant, rest: APIClient, tag: str) -> None:
    run = run_of(tenant, PLACES["asked"][0](tenant))
    before = everything(tenant)

    answer = rest.post(f"/v1/runs/{run.public_id}/cancel", {}, headers={"If-Match": tag})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/If-Match")
    assert everything(tenant) == before


@pytest.mark.parametrize("call", list(LEADS))
def test_another_tenants_run_is_a_404_like_one_that_never_was(
    tenant: Tenant, other_tenant: Tenant, client_of: Any, call: str
) -> None:
    run = run_of(tenant, PLACES["asked"][0](tenant))
    before, stranger = everything(tenant), client_of(other_tenant)

    answers = [
        stranger.post(f"/v1/runs/{public_id}/{call}", BODIES.get(call, {}), headers={"If-Match": '"1"'})
        for public_id in (run.public_id, "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10")
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert [set(answer.json()) for answer in answers] == [set(answers[0].json())] * 2
    assert {answer.json()["code"] for answer in answers} == {"run_not_found"}
    assert everything(tenant) == before


def test_a_call_may_be_repeated_and_changes_nothing_the_second_time(
    tenant: Tenant, probe: Probe, rest: APIClient
) -> None:
    for place, call in (("waiting", "pause"), ("paused in a wait", "resume"), ("asked", "reject"), ("owed", "cancel")):
        run = run_of(tenant, PLACES[place][0](tenant))
        address = f"/v1/runs/{run.public_id}/{call}"
        assert rest.post(address, BODIES.get(call, {})).json()["verdict"] == "moved"
        before = everything(tenant)

        assert rest.post(address, BODIES.get(call, {})).json()["verdict"] == "refused"

        assert everything(tenant) == before
        if run_of(tenant, run.pk).state not in TERMINAL:
            rest.post(f"/v1/runs/{run.public_id}/cancel", {})
