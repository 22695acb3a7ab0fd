"""Approvals: somebody decides, once; both routes are those that were fixed when it opened."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid
from signals_app.models import Signal
from signals_app.services.payloads import load_payloads
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.control.runs import order
from tests.journeys import drain, moves_of, publish, reasons_of, rows_of, run_of, send, start, waits_of
from workflows.definitions.validate import validate
from workflows.errors import RunNotFound
from workflows.explain import explain_run
from workflows.models import Run, Transition, Wait
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.control import pause_runs, resume_runs, wake_runs

SIGN_OFF: dict[str, Any] = {
    "key": "refund",
    "correlation": ["order"],
    "steps": [
        {
            "key": "sign_off",
            "kind": "approval",
            "actors": ["ada", "team finance"],
            "for": "P3D",
            "remind_after": "P1D",
            "signals": [{"name": "order.closed", "match": {"order": "run.correlation.order"}, "then": "complete"}],
            "on_approve": {"goto": "second"},
        },
        {"key": "second", "kind": "approval", "on_reject": {"goto": "sign_off"}, "on_approve": "complete"},
    ],
}


def asked(tenant: Tenant, document: dict[str, Any] = SIGN_OFF, **given: Any) -> int:
    """A run that waits for its first approval."""
    publish(tenant, document)
    run_id = start(tenant, "refund", **({"correlation": {"order": "o1"}} | given))
    drain(tenant)
    return run_id


def decide(tenant: Tenant, run_id: int, verb: Any, actor: str = "ada", **said: Any) -> Any:
    """What saying yes or no does to the run."""
    expected = said.pop("expected", None)
    return verb(
        tenant_id=said.pop("tenant_id", tenant.pk),
        public_ids=[run_of(tenant, run_id).public_id],
        decision=Decision(actor=actor, **said),
        cause="api",
        cause_ref="key",
        expected=expected,
    )[0]


def last_context(tenant: Tenant, run_id: int, reason: str) -> dict[str, Any]:
    with tenant_scope(tenant.pk):
        lines = Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id, reason=reason).order_by("-seq")
        return dict(lines[0].context)


def wait_of(tenant: Tenant, run_id: int) -> Wait:
    with tenant_scope(tenant.pk):
        return Wait.objects.filter(tenant_id=tenant.pk, run_id=run_id).order_by("id")[0]


def test_yes_leads_where_yes_leads(tenant: Tenant) -> None:
    run_id = asked(tenant)

    verdict = decide(tenant, run_id, approve_runs)

    assert (verdict.verdict, verdict.state, run_of(tenant, run_id).step) == ("moved", "waiting", "second")
    assert moves_of(tenant, run_id)[-2:] == [
        ("waiting", "active", "api", "approved"),
        ("active", "waiting", "step", "approval_asked"),
    ]
    assert last_context(tenant, run_id, "approved") == {"actor": "ada", "then": {"goto": "second"}}
    assert waits_of(tenant, run_id) == [("sign_off", 1, "approved"), ("second", 1, "")]


def test_no_stops_the_run_unless_the_step_says_otherwise(tenant: Tenant) -> None:
    run_id = asked(tenant)

    assert decide(tenant, run_id, reject_runs, "team finance").state == "stopped"

    assert run_of(tenant, run_id).terminal_reason == "rejected"


def test_no_may_lead_back_and_the_next_visit_is_another_approval(tenant: Tenant) -> None:
    run_id = asked(tenant)
    decide(tenant, run_id, approve_runs)

    decide(tenant, run_id, reject_runs, "anybody")

    assert waits_of(tenant, run_id)[-1] == ("sign_off", 2, "")
    late = decide(tenant, run_id, approve_runs, step="sign_off", visit=1)
    assert (late.verdict, late.why) == ("refused", "It waits for another approval: sign_off, visit 2.")
    assert decide(tenant, run_id, approve_runs, step="sign_off", visit=2).verdict == "moved"


def test_comment_and_metadata_are_a_payload_and_never_in_the_trace(tenant: Tenant) -> None:
    run_id = asked(tenant)

    decide(tenant, run_id, approve_runs, comment="canary-77 is fine", metadata={"ticket": "canary-78"})

    wait = wait_of(tenant, run_id)
    address = bytes(wait.decision_sha or b"")
    assert wait.decided_by == "ada"
    assert last_context(tenant, run_id, "approved")["payload"] == address.hex()
    with tenant_scope(tenant.pk):
        said = load_payloads(tenant.pk, [address])[address]
        trace = str(list(Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id).values_list("context")))
    assert said == {"comment": "canary-77 is fine", "metadata": {"ticket": "canary-78"}}
    assert "canary" not in trace


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"actor": "bob"}, "bob may not decide this; it is asked of ada, team finance."),
        ({"step": "second"}, "It waits for another approval: sign_off, visit 1."),
        ({"visit": 2}, "It waits for another approval: sign_off, visit 1."),
    ],
)
def test_who_may_not_decide_is_refused_and_nothing_is_written(tenant: Tenant, said: dict[str, Any], why: str) -> None:
    run_id = asked(tenant)
    before, wait = rows_of(tenant), wait_of(tenant, run_id)

    verdict = decide(tenant, run_id, approve_runs, **{"comment": "yes"} | said)

    assert (verdict.verdict, verdict.state, verdict.why) == ("refused", "waiting", why)
    assert rows_of(tenant) == before
    assert (wait_of(tenant, run_id).decided_by, wait.decision_sha) == ("", None)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"actor": ""}, "/actor"),
        ({"actor": "a\0"}, "/actor"),
        ({"comment": "x" * 2001}, "/comment"),
        ({"metadata": {"x": "y" * 9000}}, "/metadata"),
        ({"metadata": {"x": float("nan")}}, "/metadata"),
    ],
)
def test_a_decision_that_cannot_be_kept_is_refused(tenant: Tenant, said: dict[str, Any], path: str) -> None:
    run_id = asked(tenant)
    before = rows_of(tenant)

    with pytest.raises(Invalid) as refusal:
        decide(tenant, run_id, approve_runs, **said)

    assert [fault["path"] for fault in refusal.value.detail] == [path]  # type: ignore[index,call-overload]
    assert rows_of(tenant) == before


def test_time_that_is_up_stops_the_run_unless_the_step_says_otherwise(tenant: Tenant) -> None:
    run_id = asked(tenant)
    due = run_of(tenant, run_id).due_at

    drain(tenant, now=datetime.now(UTC) + timedelta(days=4))

    assert due is not None  # the reminder's, which a timer that is up makes needless
    run = run_of(tenant, run_id)
    assert (run.state, run.terminal_reason) == ("stopped", "approval_timed_out")
    assert "reminded" not in reasons_of(tenant, run_id)
    late = decide(tenant, run_id, approve_runs)
    assert (late.verdict, late.why) == ("refused", "The run has ended: it is stopped.")


def test_a_signal_makes_an_approval_needless(tenant: Tenant) -> None:
    run_id = asked(tenant)

    send(tenant, "order.closed", correlation={"order": "o1"})
    drain(tenant)

    assert (run_of(tenant, run_id).state, waits_of(tenant, run_id)) == ("completed", [("sign_off", 1, "signal")])


def test_waking_goes_where_the_time_leads(tenant: Tenant) -> None:
    run_id = asked(tenant)

    assert order(tenant, run_id, wake_runs).state == "stopped"


def test_a_reminder_comes_once_and_starts_what_listens_for_it(tenant: Tenant) -> None:
    nag = {
        "key": "nag",
        "start_on": {"signal": "approval.reminder", "subject": "signal.subject"},
        "steps": [{"key": "rest", "kind": "wait", "for": "P9D"}],
    }
    publish(tenant, nag)
    run_id = asked(tenant)

    for hours in (23, 25, 30, 49):
        drain(tenant, now=datetime.now(UTC) + timedelta(hours=hours))

    assert reasons_of(tenant, run_id).count("reminded") == 1
    assert run_of(tenant, run_id).state == "waiting"
    with tenant_scope(tenant.pk):
        [signal] = Signal.objects.filter(tenant_id=tenant.pk, name="approval.reminder")
        started = Run.objects.for_tenant(tenant.pk).get(definition_key="nag")
        said = load_payloads(tenant.pk, [bytes(signal.payload_sha or b"")])
    assert (signal.subject, signal.correlation, signal.verdict) == ("ada", {"order": "o1"}, "started")
    assert (started.subject, started.started_by) == ("ada", "signal")
    [data] = said.values()
    assert (data["run"], data["step"], data["actors"]) == (
        str(run_of(tenant, run_id).public_id),
        "sign_off",
        ["ada", "team finance"],
    )
    assert decide(tenant, run_id, approve_runs).verdict == "moved"


def test_a_paused_approval_is_not_decided(tenant: Tenant) -> None:
    run_id = asked(tenant)
    order(tenant, run_id, pause_runs)

    assert decide(tenant, run_id, approve_runs).why == "The run is paused; resume it first."
    drain(tenant, now=datetime.now(UTC) + timedelta(days=2))
    assert "reminded" not in reasons_of(tenant, run_id)

    order(tenant, run_id, resume_runs)
    drain(tenant, now=datetime.now(UTC) + timedelta(days=2))
    assert reasons_of(tenant, run_id)[-1] == "reminded"
    assert decide(tenant, run_id, approve_runs).verdict == "moved"


def test_the_explanation_says_who_may_decide_and_until_when(tenant: Tenant) -> None:
    run_id = asked(tenant)

    said = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)

    assert said.reason == "approval_asked"
    assert "for the approval of ada or team finance or order.closed (order o1); at " in said.sentence
    assert said.sentence.endswith("it stops (approval_timed_out).")
    assert said.waiting_for is not None
    assert said.waiting_for.approval is not None
    assert said.waiting_for.approval.on_approve == {"step": "second"}
    assert said.waiting_for.approval.on_reject == {"state": "stopped", "reason": "rejected"}
    assert [(one.on, one.name) for one in said.next] == [
        ("reminder", ""),
        ("timer", ""),
        ("signal", "order.closed"),
        ("decision", "approve"),
        ("decision", "reject"),
    ]
    assert {one.name for one in said.actions if one.allowed} == {"cancel", "wake", "approve", "reject", "pause"}


def test_another_tenants_approval_is_not_there(tenant: Tenant, other_tenant: Tenant) -> None:
    run_id = asked(tenant)

    with pytest.raises(RunNotFound):
        decide(tenant, run_id, approve_runs, tenant_id=other_tenant.pk)


def test_rest_decides_and_answers_with_the_new_revision(tenant: Tenant, rest: APIClient) -> None:
    run_id = asked(tenant)
    address = f"/v1/runs/{run_of(tenant, run_id).public_id}"

    told = rest.post(f"{address}/approve", {"actor": "ada", "comment": "fine", "metadata": {"ticket": 7}})
    wrong = rest.post(f"{address}/reject", {"comment": "who?", "other": 1})
    again = rest.post(f"{address}/approve", {"actor": "ada", "step": "sign_off"})

    assert (told.status_code, told.json()["verdict"], told.json()["state"]) == (200, "moved", "waiting")
    assert told.headers["ETag"] == f'"{run_of(tenant, run_id).revision}"'
    assert wrong.status_code == 400
    assert {fault["path"] for fault in wrong.json()["detail"]} == {"/other"}
    assert (again.status_code, again.json()["verdict"]) == (200, "refused")


def test_rest_hides_another_tenants_approval(tenant: Tenant, other_tenant: Tenant, client_of: Any) -> None:
    run_id = asked(tenant)

    answer = client_of(other_tenant).post(f"/v1/runs/{run_of(tenant, run_id).public_id}/approve", {"actor": "ada"})

    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")


@pytest.mark.parametrize(
    ("step", "path", "code"),
    [
        ({"for": "P1D", "remind_after": "P1D"}, "/steps/0/remind_after", "duration"),
        ({"on_timeout": "next"}, "/steps/0/on_timeout", "no_timer"),
        ({"actors": []}, "/steps/0/actors", "size"),
        ({"actors": ["a", "a"]}, "/steps/0/actors", "duplicate"),
        ({"on_reject": {"goto": "nowhere"}}, "/steps/0/on_reject/goto", "unknown_target"),
        ({"until": {"instant": "soon"}}, "/steps/0/until/instant", "instant"),
        ({"approvers": ["a"]}, "/steps/0/approvers", "unknown_key"),
    ],
)
def test_a_definition_with_a_faulty_approval_is_refused(step: dict[str, Any], path: str, code: str) -> None:
    document = {"key": "refund", "steps": [{"key": "sign_off", "kind": "approval"} | step]}

    assert [(fault["path"], fault["code"]) for fault in validate(document)] == [(path, code)]
