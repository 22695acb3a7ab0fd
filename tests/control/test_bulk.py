"""Control calls on runs by what they are: looked at first, bounded batches, a verdict for each run."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid
from signals_app.services.payloads import load_payloads
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.control.runs import begun, taken
from tests.control.test_approvals import SIGN_OFF, wait_of
from tests.journeys import GRACE, drain, end_of, publish, reasons_of, rows_of, run_of, start, waits_of
from tests.workflows.probe import Probe
from workflows.services.bulk_control import Forecast, control_planned, plan_control
from workflows.services.control import cancel_runs, pause_runs
from workflows.services.run_selection import Plan, Selection
from workflows.states import Cause


def many(tenant: Tenant, count: int = 5, **given: Any) -> list[int]:
    publish(tenant, GRACE)
    runs = [
        start(tenant, "dunning", f"s{number}", correlation={"invoice_id": f"i{number % 2}"}, **given)
        for number in range(count)
    ]
    drain(tenant)
    return runs


def states(tenant: Tenant, runs: list[int]) -> list[str]:
    return [run_of(tenant, run_id).state for run_id in runs]


def plan(tenant: Tenant, action: str = "cancel", **where: Any) -> Forecast:
    return plan_control(tenant_id=tenant.pk, action=action, selection=Selection(**where))


def carry_out(tenant: Tenant, planned: Plan, **given: Any) -> Any:
    asked = {"cause": Cause.OPERATOR, "cause_ref": "grace", "reason": "a test"}
    return control_planned(tenant_id=tenant.pk, plan=planned, **(asked | given))


def test_a_look_writes_nothing_and_counts_by_state(tenant: Tenant) -> None:
    runs = many(tenant)
    cancel(tenant, runs[0])
    before = rows_of(tenant)

    seen = plan(tenant, workflow="dunning")

    assert (seen.moves, seen.by_state, seen.in_flight) == (4, {"waiting": 4, "cancelled": 1}, 0)
    assert [(one.subject, one.state, one.step) for one in seen.sample][:2] == [
        ("s1", "waiting", "grace"),
        ("s2", "waiting", "grace"),
    ]
    assert rows_of(tenant) == before


def cancel(tenant: Tenant, run_id: int) -> None:
    public_ids = [run_of(tenant, run_id).public_id]
    cancel_runs(tenant_id=tenant.pk, public_ids=public_ids, cause=Cause.API, cause_ref="", reason="")


@pytest.mark.parametrize(
    ("where", "chosen"),
    [
        ({"workflow": "dunning"}, [0, 1, 2, 3, 4]),
        ({"workflow": "other"}, []),
        ({"subject": "s3"}, [3]),
        ({"correlation": {"invoice_id": "i1"}}, [1, 3]),
        ({"state": "waiting", "correlation": {"invoice_id": "i0"}}, [0, 2, 4]),
        ({"state": "active"}, []),
        ({"waiting_on": "invoice.paid"}, [0, 1, 2, 3, 4]),
        ({"waiting_on": "invoice.disputed"}, []),
        ({"started_before": datetime(2020, 1, 1, tzinfo=UTC)}, []),
        ({"started_after": datetime(2020, 1, 1, tzinfo=UTC)}, [0, 1, 2, 3, 4]),
    ],
)
def test_only_what_meets_every_condition_is_ended(
    tenant: Tenant, other_tenant: Tenant, where: dict[str, Any], chosen: list[int]
) -> None:
    runs, others = many(tenant), many(other_tenant)

    batch = carry_out(tenant, plan(tenant, **where).plan)

    assert [one.public_id for one in batch.verdicts] == [run_of(tenant, runs[index]).public_id for index in chosen]
    assert states(tenant, runs) == ["cancelled" if index in chosen else "waiting" for index in range(5)]
    assert set(states(other_tenant, others)) == {"waiting"}


def test_it_goes_in_batches_and_leaves_what_started_later(tenant: Tenant) -> None:
    runs = many(tenant, 5)
    seen = plan(tenant, workflow="dunning")
    later = many(tenant, 1)

    remaining, rest = [], seen.plan
    while rest is not None:
        batch = carry_out(tenant, Plan.from_token(rest.as_token()), limit=2)
        remaining.append((len(batch.verdicts), batch.remaining))
        rest = batch.rest

    assert remaining == [(2, 3), (2, 1), (1, 0)]
    assert states(tenant, runs + later) == ["cancelled"] * 5 + ["waiting"]


def test_pausing_and_resuming_a_selection(tenant: Tenant) -> None:
    runs = many(tenant, 3)
    until = datetime.now(UTC) + timedelta(days=1)

    carry_out(tenant, plan(tenant, "pause", workflow="dunning").plan, until=until)
    assert states(tenant, runs) == ["paused"] * 3
    assert run_of(tenant, runs[0]).suspended_until == until
    assert plan(tenant, "pause", workflow="dunning").moves == 0
    carry_out(tenant, plan(tenant, "resume", workflow="dunning").plan)

    assert states(tenant, runs) == ["waiting"] * 3


def test_what_is_in_flight_is_counted_before_and_named_after(tenant: Tenant, probe: Probe) -> None:
    begun(tenant)
    taken(tenant)

    seen = plan(tenant, workflow="ring")
    batch = carry_out(tenant, seen.plan)

    assert (seen.moves, seen.in_flight) == (1, 1)
    assert batch.verdicts[0].in_flight == ("call attempt 1",)


@pytest.mark.parametrize(
    ("where", "code"),
    [
        ({}, "no_condition"),
        ({"state": "asleep"}, "unknown_state"),
        ({"subject": "a\0"}, "bad_text"),
        ({"started_after": datetime(2020, 1, 1)}, "bad_time"),
        ({"correlation": {"a": 1}}, "bad_correlation"),
    ],
)
def test_a_selection_that_means_nothing_is_refused(tenant: Tenant, where: dict[str, Any], code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        plan(tenant, **where)

    assert [fault["code"] for fault in refusal.value.detail] == [code]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(
    "token", ["", "x", "!!", "W10=", "WyJjYW5jZWwiLHt9LDEsMF0=", "WyJjYW5jZWwiLCB7InN0YXRlIjogNX0sIDEsIDBd"]
)
def test_a_plan_that_nobody_made_is_refused(tenant: Tenant, token: str) -> None:
    with pytest.raises(Invalid):
        Plan.from_token(token)


def test_rest_looks_then_carries_out(tenant: Tenant, rest: APIClient) -> None:
    runs = many(tenant, 3)

    seen = rest.post("/v1/runs/bulk", {"action": "cancel", "where": {"workflow": "dunning"}, "dry_run": True}).json()
    assert (seen["dry_run"], seen["moves"], seen["by_state"], len(seen["sample"])) == (True, 3, {"waiting": 3}, 3)
    assert states(tenant, runs) == ["waiting"] * 3
    first = rest.post("/v1/runs/bulk", {"plan": seen["plan"], "limit": 2, "reason": "wrong import"}).json()
    assert (first["moves"], first["remaining"], len(first["runs"])) == (2, 1, 2)
    last = rest.post("/v1/runs/bulk", {"plan": first["plan"], "reason": "wrong import"}).json()

    assert (last["moves"], last["remaining"], last["plan"]) == (1, 0, None)
    assert {end_of(tenant, run_id) for run_id in runs} == {"wrong import"}


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/action"),
        ({"action": "cancel", "where": {}}, ""),
        ({"action": "cancel", "where": {"owner": "x"}}, "/where/owner"),
        ({"action": "settle", "where": {"workflow": "dunning"}}, "/action"),
        ({"action": "approve", "where": {"workflow": "dunning"}}, "/actor"),
        ({"action": "approve", "where": {"workflow": "dunning"}, "comment": "ok", "dry_run": True}, "/actor"),
        ({"action": "reject", "where": {"workflow": "dunning"}, "actor": "ada", "reason": "no"}, "/reason"),
        ({"action": "reject", "where": {"workflow": "dunning"}, "actor": "ada", "comment": "c" * 2001}, "/comment"),
        ({"action": "cancel", "where": {"workflow": "dunning"}, "actor": "ada"}, "/actor"),
        ({"action": "cancel", "where": {"workflow": "dunning"}, "actor": "ada", "dry_run": True}, "/actor"),
        ({"action": "cancel", "where": {"workflow": "dunning"}, "until": "2999-01-01T00:00:00Z"}, "/until"),
        ({"action": "cancel", "where": {"workflow": "dunning"}, "limit": 5000}, "/limit"),
        ({"plan": "x", "action": "cancel"}, "/plan"),
        ({"plan": "x"}, "/plan"),
    ],
)
def test_rest_refuses_a_call_that_means_nothing(
    tenant: Tenant, rest: APIClient, body: dict[str, Any], path: str
) -> None:
    runs = many(tenant, 1)

    answer = rest.post("/v1/runs/bulk", body)

    assert answer.status_code == 400
    assert path in [fault["path"] for fault in answer.json()["detail"]]
    assert states(tenant, runs) == ["waiting"]


def test_the_command_says_what_it_would_do_and_how_far_it_has_come(tenant: Tenant) -> None:
    runs = many(tenant, 3)
    words = ["bulk", "cancel", "--tenant", tenant.slug, "--workflow", "dunning", "--reason", "test"]

    looked, done = io.StringIO(), io.StringIO()
    call_command("runs", *words, "--dry-run", stdout=looked)
    assert states(tenant, runs) == ["waiting"] * 3
    call_command("runs", *words, stdout=done)

    assert looked.getvalue().startswith("Selected: 3 waiting. To cancel: 3; 0 in flight.\n")
    assert done.getvalue().endswith("3 moved, 0 refused, 0 to come.\n")
    assert states(tenant, runs) == ["cancelled"] * 3


def mixed(tenant: Tenant) -> dict[str, int]:
    """Runs of one subject: with an approval that is asked of ada, with one asked of bob alone, and with none."""
    of_bob = SIGN_OFF | {"key": "payout", "steps": [SIGN_OFF["steps"][0] | {"actors": ["bob"]}, SIGN_OFF["steps"][1]]}
    for document in (SIGN_OFF, of_bob, GRACE):
        publish(tenant, document)
    order = {"correlation": {"order": "o1"}}
    runs = {
        "first": start(tenant, "refund", **order),
        "of_bob": start(tenant, "payout", **order),
        "waits": start(tenant, "dunning", correlation={"invoice_id": "i1"}),
        "held": start(tenant, "refund", **order),
        "ended": start(tenant, "refund", **order),
    }
    drain(tenant)
    cancel(tenant, runs["ended"])
    held = [run_of(tenant, runs["held"]).public_id]
    pause_runs(tenant_id=tenant.pk, public_ids=held, cause=Cause.API, cause_ref="", reason="")
    return runs


REFUSALS = {
    "of_bob": "ada may not decide this; it is asked of bob.",
    "waits": "The run does not wait for an approval.",
    "held": "The run is paused; resume it first.",
}


def test_many_approvals_are_decided_and_runs_without_one_are_refused_and_untouched(
    tenant: Tenant, other_tenant: Tenant, rest: APIClient
) -> None:
    runs, others = mixed(tenant), mixed(other_tenant)
    rows = rows_of(tenant)
    before = {name: run_of(tenant, runs[name]) for name in REFUSALS}
    call = {
        "action": "approve",
        "where": {"subject": "ada"},
        "actor": "ada",
        "comment": "Checked.",
        "metadata": {"t": 7},
    }

    anybody = rest.post("/v1/runs/bulk", {"action": "approve", "where": call["where"], "dry_run": True}).json()
    elsewhere = rest.post("/v1/runs/bulk", call | {"dry_run": True, "step": "second"}).json()
    seen = rest.post("/v1/runs/bulk", call | {"dry_run": True}).json()
    looked = rows_of(tenant)
    done = rest.post(
        "/v1/runs/bulk", {name: call[name] for name in ("actor", "comment", "metadata")} | {"plan": seen["plan"]}
    )
    again = rest.post("/v1/runs/bulk", call | {"step": "sign_off"}).json()

    assert (anybody["moves"], elsewhere["moves"], seen["moves"]) == (2, 0, 1)
    assert seen["by_state"] == {"waiting": 3, "paused": 1, "cancelled": 1}
    assert looked == rows
    told = {one["id"]: (one["verdict"], one["why"]) for one in done.json()["runs"]}
    public = {name: str(run_of(tenant, run_id).public_id) for name, run_id in runs.items()}
    assert told == {public["first"]: ("moved", "")} | {public[name]: ("refused", why) for name, why in REFUSALS.items()}
    assert waits_of(tenant, runs["first"]) == [("sign_off", 1, "approved"), ("second", 1, "")]
    wait = wait_of(tenant, runs["first"])
    with tenant_scope(tenant.pk):
        [said] = load_payloads(tenant.pk, [wait.decision_sha]).values()
    assert (wait.decided_by, said) == ("ada", {"comment": "Checked.", "metadata": {"t": 7}})
    assert {name: run_of(tenant, runs[name]).revision for name in REFUSALS} == {
        name: run.revision for name, run in before.items()
    }
    assert (again["moves"], run_of(tenant, runs["first"]).step) == (0, "second")
    assert "approved" not in reasons_of(other_tenant, others["first"])


def test_the_command_rejects_a_selection_in_somebodys_name(tenant: Tenant) -> None:
    runs = mixed(tenant)
    words = ["bulk", "reject", "--tenant", tenant.slug, "--subject", "ada", "--by", "bob", "--comment", "no money"]

    looked, done = io.StringIO(), io.StringIO()
    call_command("runs", *words, "--dry-run", stdout=looked)
    assert run_of(tenant, runs["of_bob"]).state == "waiting"
    call_command("runs", *words, stdout=done)

    assert "To reject: 1; 0 in flight." in looked.getvalue()
    assert done.getvalue().endswith("1 moved, 3 refused, 0 to come.\n")
    assert f"{run_of(tenant, runs['waits']).public_id}  refused, waiting ({REFUSALS['waits']})" in done.getvalue()
    assert [run_of(tenant, runs[name]).state for name in ("of_bob", "first", "waits")] == [
        "stopped",
        "waiting",
        "waiting",
    ]
    with pytest.raises(CommandError, match="Say who decides"):
        call_command("runs", "bulk", "approve", "--tenant", tenant.slug, "--subject", "ada")
    with pytest.raises(CommandError, match="Say why"):
        call_command("runs", "bulk", "cancel", "--tenant", tenant.slug, "--subject", "ada")
    with pytest.raises(CommandError, match="/comment"):
        call_command(
            "runs", "bulk", "wake", "--tenant", tenant.slug, "--subject", "ada", "--reason", "x", "--comment", "y"
        )
    assert run_of(tenant, runs["waits"]).state == "waiting"
