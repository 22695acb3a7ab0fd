"""Changing the deadline of a run and the end of its pause: what is left out stays."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tenants.models import Tenant
from tests.control.places import PLACES, created
from tests.control.runs import order, resting
from tests.control.test_matrix import everything
from tests.journeys import drain, reasons_of, run_of, told_of
from tests.workflows.probe import Probe
from workflows.services.control import cancel_runs, pause_runs

SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)


def patch(rest: APIClient, tenant: Tenant, run_id: int, **asked: Any) -> Any:
    headers = {"If-Match": asked.pop("tag", "*")}
    return rest.patch(f"/v1/runs/{run_of(tenant, run_id).public_id}", asked, headers=headers)


def test_a_deadline_moves_and_counts(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = resting(tenant)

    told = patch(rest, tenant, run_id, deadline_at=SOON.isoformat())

    run = run_of(tenant, run_id)
    assert (told.json()["verdict"], told.headers["ETag"]) == ("moved", f'"{run.revision}"')
    assert (run.deadline_at, run.due_at, run.state) == (SOON, SOON, "waiting")
    assert reasons_of(tenant, run_id)[-1] == "times_changed"
    drain(tenant, now=SOON)
    assert run_of(tenant, run_id).state == "expired"


def test_null_takes_a_deadline_away(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = resting(tenant)

    patch(rest, tenant, run_id, deadline_at=None)

    drain(tenant, now=datetime.now(UTC) + timedelta(hours=20))
    assert (run_of(tenant, run_id).deadline_at, run_of(tenant, run_id).state) == (None, "waiting")


def test_what_is_left_out_keeps_its_value(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = resting(tenant)
    order(tenant, run_id, pause_runs, until=SOON)
    before = run_of(tenant, run_id)

    patch(rest, tenant, run_id, deadline_at=(SOON + timedelta(days=9)).isoformat())
    moved = run_of(tenant, run_id)
    patch(rest, tenant, run_id, suspended_until=None)
    held = run_of(tenant, run_id)

    assert (moved.suspended_until, moved.step, moved.visits) == (SOON, before.step, before.visits)
    assert (held.suspended_until, held.deadline_at) == (None, SOON + timedelta(days=9))
    drain(tenant, now=SOON)
    assert run_of(tenant, run_id).state == "paused"


@pytest.mark.parametrize(
    ("place", "asked", "why"),
    [
        ("completed", {"deadline_at": SOON.isoformat()}, "The run has ended: it is completed."),
        ("waiting", {"suspended_until": SOON.isoformat()}, "The run is not paused."),
        ("paused in a wait", {"suspended_until": None}, "Nothing would change."),
        ("scheduled", {"deadline_at": SOON.isoformat()}, "The run would expire before it begins."),
    ],
)
def test_a_change_that_cannot_be_is_refused_and_writes_nothing(
    tenant: Tenant, probe: Probe, rest: APIClient, place: str, asked: dict[str, Any], why: str
) -> None:
    run_id = PLACES[place][0](tenant)
    before = everything(tenant)

    told = patch(rest, tenant, run_id, **asked).json()

    assert (told["verdict"], told["why"]) == ("refused", why)
    assert everything(tenant) == before


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({}, ""),
        ({"deadline_at": "2020-01-01T00:00:00Z"}, "/deadline_at"),
        ({"step": "rest"}, "/step"),
        ({"state": "active"}, "/state"),
    ],
)
def test_a_change_that_means_nothing_is_a_400(
    tenant: Tenant, probe: Probe, rest: APIClient, asked: dict[str, Any], path: str
) -> None:
    run_id = created(tenant)
    before = everything(tenant)

    answer = patch(rest, tenant, run_id, **asked)

    assert (answer.status_code, [fault["path"] for fault in answer.json()["detail"]]) == (400, [path])
    assert everything(tenant) == before


def test_an_older_revision_and_another_tenant(
    tenant: Tenant, other_tenant: Tenant, probe: Probe, rest: APIClient, client_of: Any
) -> None:
    run_id = resting(tenant)
    before = everything(tenant)

    older = patch(rest, tenant, run_id, tag='"1"', deadline_at=SOON.isoformat())
    stranger = patch(client_of(other_tenant), tenant, run_id, deadline_at=SOON.isoformat())

    assert (older.status_code, older.json()["detail"]["expected"]) == (412, 1)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "run_not_found")
    assert everything(tenant) == before


def test_the_command_changes_times_and_adds_notes(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    order(tenant, run_id, pause_runs, until=SOON)
    public_id = str(run_of(tenant, run_id).public_id)

    def manage(verb: str, *words: str, of: Tenant = tenant) -> str:
        written = io.StringIO()
        call_command("runs", verb, public_id, *words, "--tenant", of.slug, "--by", "ada", stdout=written)
        return written.getvalue()

    seen = run_of(tenant, run_id).revision
    never, later = ["--suspended-until", "never"], (SOON + timedelta(days=1)).isoformat()
    told = manage("change", *never, "--deadline", later, "--revision", str(seen), "--reason", "a week more")
    noted = manage("note", "customer called", "--expected-seq", str(seen + 1))

    run = run_of(tenant, run_id)
    assert (run.suspended_until, run.deadline_at) == (None, SOON + timedelta(days=1))
    assert told == f"{public_id}  moved, paused\n"
    assert noted == f"{public_id}  noted, seq {seen + 2}\n"
    assert told_of(tenant, run_id, "note_added") == [{"note": "customer called"}]
    before = everything(tenant)
    for words, why in (
        (["change", "--deadline", later, "--revision", str(seen), "--reason", "x"], "stands at revision"),
        (["change", "--deadline", "2020-01-01T00:00:00Z", "--reason", "x"], "/deadline_at"),
        (["change", "--reason", "x"], "Give one of"),
        (["note", "again", "--expected-seq", str(seen)], "The trace has come to"),
        (["note", "x" * 65], "1 to 64"),
    ):
        with pytest.raises(CommandError, match=why):
            manage(*words)
    with pytest.raises(CommandError, match="No such run"):
        manage("note", "x", of=other_tenant)
    assert everything(tenant) == before


def test_a_command_that_did_nothing_of_what_was_asked_exits_one(tenant: Tenant, probe: Probe) -> None:
    ended, live = resting(tenant), resting(tenant)
    order(tenant, ended, cancel_runs)
    over, under_way = (str(run_of(tenant, run_id).public_id) for run_id in (ended, live))
    workflow = run_of(tenant, ended).definition_key

    def manage(*words: str) -> str:
        written, why = io.StringIO(), [] if "--by" in words else ["--reason", "x"]
        try:
            call_command("runs", *words, "--tenant", tenant.slug, *why, stdout=written)
        except CommandError as error:
            return f"{written.getvalue()}{error} exit {error.returncode}"
        return written.getvalue()

    nothing = "Nothing was done: what was asked for was refused. exit 1"
    for words in (["pause", over], ["cancel", over, over], ["change", over, "--deadline", SOON.isoformat()]):
        told = manage(*words)
        assert (f"{over}  refused, cancelled" in told, told.endswith(nothing)) == (True, True), words
    assert manage("pause", over, under_way).endswith(f"{under_way}  moved, paused\n")
    bulk = ["bulk", "approve", "--workflow", workflow, "--by", "ada"]
    assert manage(*bulk, "--dry-run").startswith("Selected: 1 cancelled, 1 paused. To approve: 0")
    assert manage(*bulk).endswith(f"0 moved, 1 refused, 0 to come.\n{nothing}")
