"""Every write under /v1/runs either heeds `If-Match` or refuses it: none goes on as though it had looked."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.schema import document
from tenants.models import Tenant
from tests.api.neighbours import BODIES
from tests.control.places import completed
from tests.control.runs import order
from tests.control.test_every_action import unknown
from tests.control.test_matrix import everything
from tests.journeys import run_of
from tests.workflows.probe import Probe
from workflows.services.control import cancel_runs

ONE = "/v1/runs/{public_id}"
BY_FENCE = f"{ONE}/attempts"  # a worker names its fence, which moves with every claim
WRITES = {
    f"{verb} {path}": said
    for path, verbs in document()["paths"].items()
    for verb, said in verbs.items()
    if verb in {"post", "put", "patch", "delete"} and (path + "/").startswith("/v1/runs/")
}
HEEDED = {asked for asked in WRITES if asked.split()[1].startswith(ONE) and BY_FENCE not in asked}
OTHERS = WRITES.keys() - HEEDED


def ask(rest: APIClient, asked: str, public_id: Any, body: Any, tag: str) -> Any:
    verb, path = asked.split()
    return getattr(rest, verb)(path.format(public_id=public_id), body, headers={"If-Match": tag})


def test_the_document_says_which_writes_heed_it() -> None:
    named = {asked for asked, said in WRITES.items() if any(one["name"] == "If-Match" for one in said["parameters"])}

    assert named == HEEDED == {asked for asked, said in WRITES.items() if "412" in said["responses"]}
    assert {"post /v1/runs", "post /v1/runs/bulk", "post /v1/runs/cancel"} < OTHERS


def test_a_write_on_one_run_is_refused_when_the_run_has_moved_on(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run = run_of(tenant, unknown(tenant))
    before = everything(tenant)

    for asked in sorted(HEEDED):
        body = BODIES[asked] | ({"step": "call"} if asked.endswith("settle") else {})
        answer = ask(rest, asked, run.public_id, body, '"1"')

        assert (answer.status_code, answer.json()["code"]) == (412, "revision_mismatch"), (asked, answer.json())
        assert answer.json()["detail"] == {"run": str(run.public_id), "expected": 1, "actual": run.revision}
    assert everything(tenant) == before


def test_every_other_write_refuses_it_and_says_why(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run = run_of(tenant, unknown(tenant))
    bodies = {
        "post /v1/runs": {"workflow": "once", "subject": "ada"},
        "post /v1/runs/cancel": {"runs": [str(run.public_id)], "reason": "a test"},
        "post /v1/runs/bulk": {"action": "cancel", "where": {"workflow": "once"}, "reason": "a test"},
        "post /v1/runs/cancel-by-key": {"correlation": {"order": "o1"}, "reason": "a test"},
    }
    before = everything(tenant)

    for asked in sorted(OTHERS):
        answer = ask(rest, asked, run.public_id, bodies.get(asked, {}), f'"{run.revision}"')

        assert answer.status_code == 400, (asked, answer.json())
        [fault] = answer.json()["detail"]
        assert (fault["path"], fault["code"]) == ("/If-Match", "not_heeded"), asked
    assert everything(tenant) == before


@pytest.mark.parametrize("call", ["settle", "replay"])
def test_the_revision_that_was_read_settles_and_replays(
    tenant: Tenant, probe: Probe, rest: APIClient, call: str
) -> None:
    run = run_of(tenant, unknown(tenant) if call == "settle" else completed(tenant))
    address = f"/v1/runs/{run.public_id}"
    seen = rest.get(address).headers["ETag"]
    body = {"settle": {"step": "call", "outcome": "delivered", "reason": "seen"}, "replay": {"reason": "again"}}[call]

    answer = rest.post(f"{address}/{call}", body, headers={"If-Match": seen})

    assert answer.status_code in {200, 201}, answer.json()
    if call == "settle":
        assert answer.headers["ETag"] == rest.get(address).headers["ETag"] != seen


def test_one_who_saw_an_unknown_step_does_not_settle_it_after_a_cancel(
    tenant: Tenant, probe: Probe, rest: APIClient
) -> None:
    run = run_of(tenant, unknown(tenant))
    seen = rest.get(f"/v1/runs/{run.public_id}").headers["ETag"]
    order(tenant, run.pk, cancel_runs)
    before = everything(tenant)
    body = {"step": "call", "outcome": "delivered", "reason": "seen"}

    assert ask(rest, "post /v1/runs/{public_id}/settle", run.public_id, body, seen).status_code == 412
    assert everything(tenant) == before
