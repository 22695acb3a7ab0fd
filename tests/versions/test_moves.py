"""Runs that wait are moved to another version: looked at first, a transition each, and the open wait goes on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chimeway_py.errors import ChimewayError, Invalid
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.control.runs import CALL_THEN_WAIT, begun, order, resting, taken
from tests.journeys import (
    GRACE,
    drain,
    paid,
    publish,
    reasons_of,
    rows_of,
    run_of,
    send,
    start,
    told_of,
    verdicts_of,
    waiting_run,
    waits_of,
)
from tests.workflows.probe import Probe
from workflows.definitions.errors import DefinitionNotFound, WrongStatus
from workflows.explain import explain_run
from workflows.history.rebuild import rebuild_run
from workflows.models import Listener, Run, StepRun, Transition, Wait
from workflows.services.control import cancel_runs, pause_runs, resume_runs
from workflows.services.definitions import retire_definition, save_draft
from workflows.services.switches import switch_definition
from workflows.services.turn import engine_turn, work_turn
from workflows.services.version_moves import MoveForecast, MoveVerdict, move_planned, plan_move
from workflows.services.version_plan import Change, MovePlan
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Outcome
from workflows.store.batch import RunBatch

REFUND = {"name": "refund.asked", "then": {"stop": "refunded"}}


def grace(**changes: Any) -> dict[str, Any]:
    """`GRACE` with another first step."""
    first, *others = GRACE["steps"]
    return {**GRACE, "steps": [{**first, **changes}, *others]}


def change(key: str = "dunning", **given: Any) -> Change:
    return Change(**({"key": key, "from_version": 1, "to_version": 2} | given))


def look(tenant: Tenant, key: str = "dunning", **given: Any) -> MoveForecast:
    return plan_move(tenant_id=tenant.pk, change=change(key, **given))


def carry_out(tenant: Tenant, plan: MovePlan, **given: Any) -> list[MoveVerdict]:
    told = {"cause": Cause.OPERATOR, "cause_ref": "grace", "reason": "better words"} | given
    return move_planned(tenant_id=tenant.pk, plan=plan, **told).verdicts


def move(tenant: Tenant, key: str = "dunning", **given: Any) -> list[MoveVerdict]:
    return carry_out(tenant, look(tenant, key, **given).plan)


def fates(forecast: MoveForecast) -> list[tuple[str, str, str, str, int]]:
    return [(one.state, one.step, one.step_to, str(one.outcome), one.runs) for one in forecast.groups]


def version_of(tenant: Tenant, run_id: int) -> int:
    with tenant_scope(tenant.pk):
        return Run.objects.for_tenant(tenant.pk).select_related("definition").get(pk=run_id).definition.version


def listens_to(tenant: Tenant, run_id: int) -> set[str]:
    with tenant_scope(tenant.pk):
        return set(Listener.objects.filter(tenant_id=tenant.pk, run_id=run_id).values_list("name", flat=True))


def assert_rebuilt(tenant: Tenant, run_id: int) -> None:
    rebuilt = rebuild_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id, from_start=True)
    assert rebuilt.is_equal, rebuilt.faults


def last_line(tenant: Tenant, run_id: int, reason: str) -> Transition:
    with tenant_scope(tenant.pk):
        return Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id, reason=reason).latest("seq")


def test_publishing_leaves_runs_on_their_version(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)

    publish(tenant, grace(signals=[REFUND]))

    assert version_of(tenant, run_id) == 1
    assert version_of(tenant, start(tenant, "dunning")) == 2


def test_looking_writes_nothing(tenant: Tenant) -> None:
    waiting_run(tenant)
    publish(tenant, grace(on_timeout={"goto": "second"}))
    before = rows_of(tenant)

    forecast = look(tenant)

    assert (forecast.moves, forecast.stays) == (1, 0)
    assert fates(forecast) == [("waiting", "grace", "grace", "opened_anew", 1)]
    assert rows_of(tenant) == before


def test_a_wait_that_says_the_same_is_kept(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, {**GRACE, "deadline": "P60D"})
    before = run_of(tenant, run_id)

    [verdict] = move(tenant)

    after = run_of(tenant, run_id)
    assert (verdict.verdict, verdict.outcome, verdict.revision) == ("moved", "kept", before.revision + 1)
    assert (after.state, after.due_at, after.deadline_at) == ("waiting", before.due_at, before.deadline_at)
    assert (after.status_reason, after.revision) == ("wait_opened", before.revision + 1)
    assert waits_of(tenant, run_id) == [("grace", 1, "")]
    line = last_line(tenant, run_id, "version_changed")
    assert (line.cause, line.cause_ref) == ("operator", "grace")
    said = {"version_from": 1, "version_to": 2, "why": "better words", "wait": "kept"}
    assert told_of(tenant, run_id, "version_changed")[-1] == said
    assert version_of(tenant, run_id) == 2
    assert_rebuilt(tenant, run_id)


def test_a_wait_that_says_something_else_is_opened_anew_and_keeps_its_time(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(signals=[REFUND], **{"for": "P5D"}))
    due = run_of(tenant, run_id).due_at

    [verdict] = move(tenant)
    assert verdict.outcome == "opened_anew"
    assert waits_of(tenant, run_id) == [("grace", 1, "version_changed"), ("grace", 2, "")]
    assert run_of(tenant, run_id).due_at == due
    assert listens_to(tenant, run_id) == {"refund.asked", "invoice.disputed"}
    paid(tenant)
    send(tenant, "refund.asked", "ada")
    drain(tenant)

    assert run_of(tenant, run_id).terminal_reason == "refunded"
    assert reasons_of(tenant, run_id)[-4:] == ["version_changed", "wait_opened", "signal_matched", "rule_stopped"]
    assert_rebuilt(tenant, run_id)


@pytest.mark.parametrize(("due", "outcome"), [("keep", "kept"), ("recompute", "opened_anew")])
def test_the_time_is_kept_or_counted_anew_from_when_the_wait_opened(tenant: Tenant, due: str, outcome: str) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(**{"for": "P5D"}))
    before = run_of(tenant, run_id).due_at
    assert before is not None

    [verdict] = move(tenant, due=due)

    assert verdict.outcome == outcome
    assert run_of(tenant, run_id).due_at == before + timedelta(days=0 if due == "keep" else 3)


def test_a_time_that_is_over_fires_at_once(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(**{"for": "PT0.1S"}))

    move(tenant, due="recompute")
    drain(tenant, now=database_now() + timedelta(seconds=1))

    assert run_of(tenant, run_id).step == "second"


def test_a_move_that_comes_before_a_timer_that_is_due_says_so(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(**{"for": "P5D"}))
    plan = look(tenant, due="recompute").plan
    lock, later = RunBatch.lock, database_now() + timedelta(days=3)
    monkeypatch.setattr(RunBatch, "lock", lambda *given: lock(*given, now=later))

    carry_out(tenant, plan)

    assert last_line(tenant, run_id, "version_changed").context["beaten"] == "timer"
    assert run_of(tenant, run_id).state == "waiting"
    assert_rebuilt(tenant, run_id)


def test_a_step_is_mapped_to_another(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    first, second = GRACE["steps"]
    publish(tenant, {**GRACE, "steps": [{**first, "key": "patience"}, second]})

    assert fates(look(tenant)) == [("waiting", "grace", "grace", "step_missing", 1)]
    [verdict] = move(tenant, steps={"grace": "patience"})

    assert (verdict.verdict, verdict.outcome, verdict.step) == ("moved", "mapped", "patience")
    assert waits_of(tenant, run_id) == [("grace", 1, "version_changed"), ("patience", 1, "")]
    assert_rebuilt(tenant, run_id)
    paid(tenant)
    drain(tenant)
    assert run_of(tenant, run_id).state == "completed"


def test_what_cannot_move_stays_and_says_why(tenant: Tenant, probe: Probe) -> None:
    waits, under_way, flying, pending = resting(tenant), begun(tenant), begun(tenant), start(tenant, "ring")
    taken(tenant)
    call, _, again = CALL_THEN_WAIT["steps"]
    publish(tenant, {**CALL_THEN_WAIT, "steps": [call, {"key": "rest", "kind": "approval", "for": "P1D"}, again]})
    before = {run_id: run_of(tenant, run_id) for run_id in (under_way, flying, waits)}

    verdicts = {one.public_id: one for one in move(tenant, "ring")}

    said = {run_id: str(verdicts[run_of(tenant, run_id).public_id].outcome) for run_id in (*before, pending)}
    assert set(said.values()) == {"step_under_way", "work_in_flight", "kind_differs", "not_begun"}
    assert (said[waits], said[pending]) == ("kind_differs", "not_begun")
    for run_id, was in before.items():
        assert run_of(tenant, run_id).revision == was.revision
        assert version_of(tenant, run_id) == 1


def test_a_run_that_has_not_begun_begins_on_the_new_version(tenant: Tenant) -> None:
    publish(tenant, GRACE)
    run_id = start(tenant, "dunning", at=database_now() + timedelta(hours=1), correlation={"invoice_id": "42"})
    publish(tenant, grace(signals=[REFUND]))

    [verdict] = move(tenant)
    drain(tenant, now=database_now() + timedelta(hours=2))

    assert (verdict.outcome, version_of(tenant, run_id)) == ("not_begun", 2)
    send(tenant, "refund.asked", "ada")
    drain(tenant)
    assert run_of(tenant, run_id).terminal_reason == "refunded"


def test_a_signal_that_only_the_new_version_listens_for_is_used_although_it_came_before(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    receipt = send(tenant, "refund.asked", "ada")
    drain(tenant)
    publish(tenant, grace(signals=[REFUND]))

    move(tenant)

    assert run_of(tenant, run_id).terminal_reason == "refunded"
    assert verdicts_of(tenant, receipt) == [(run_id, "matched", "early_signal_used")]
    assert_rebuilt(tenant, run_id)


def test_a_signal_for_a_later_wait_of_the_new_version_is_kept(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    receipt = send(tenant, "refund.asked", "ada")
    drain(tenant)
    first, second = GRACE["steps"]
    publish(tenant, {**GRACE, "steps": [first, {**second, "signals": [REFUND]}]})

    [verdict] = move(tenant)

    assert (verdict.outcome, run_of(tenant, run_id).pending_signals) == ("kept", 1)
    assert verdicts_of(tenant, receipt) == [(run_id, "buffered", "no_wait_open")]
    assert_rebuilt(tenant, run_id)


def test_a_run_that_moved_on_after_the_look_is_told_and_stays(tenant: Tenant) -> None:
    moved_on, rests = waiting_run(tenant), waiting_run(tenant, correlation={"invoice_id": "43"})
    publish(tenant, grace(on_timeout={"goto": "second"}))
    plan = look(tenant).plan
    order(tenant, moved_on, pause_runs)
    order(tenant, moved_on, resume_runs)
    came_later = waiting_run_on(tenant, 1)

    outcomes = {one.public_id: str(one.outcome) for one in carry_out(tenant, plan)}

    assert outcomes == {
        run_of(tenant, moved_on).public_id: "changed_since",
        run_of(tenant, rests).public_id: "opened_anew",
    }
    assert [version_of(tenant, run_id) for run_id in (moved_on, rests, came_later)] == [1, 2, 1]


def waiting_run_on(tenant: Tenant, version: int) -> int:
    from workflows.services.start import NewRun, start_runs

    new = NewRun(subject="bo", correlation={"invoice_id": "44"})
    [started] = start_runs(tenant_id=tenant.pk, definition_key="dunning", version=version, runs=[new])
    drain(tenant)
    return started.run_id


def test_batches_are_bounded_and_a_move_is_resumed_where_it_stopped(tenant: Tenant) -> None:
    runs = [waiting_run(tenant, correlation={"invoice_id": str(number)}) for number in range(5)]
    publish(tenant, grace(on_timeout={"goto": "second"}))
    plan: MovePlan | None = look(tenant).plan
    sizes = []

    while plan is not None:
        plan = MovePlan.from_token(plan.as_token(), "dunning")
        told = {"cause": Cause.API, "cause_ref": "k", "reason": ""}
        batch = move_planned(tenant_id=tenant.pk, plan=plan, limit=2, **told)  # type: ignore[arg-type]
        sizes.append((len(batch.verdicts), batch.remaining))
        plan = batch.rest

    assert sizes == [(2, 3), (2, 1), (1, 0)]
    assert {version_of(tenant, run_id) for run_id in runs} == {2}
    assert look(tenant).groups == ()  # moving again meets nobody


def test_a_paused_run_is_moved_and_goes_on_under_the_new_rules(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(signals=[REFUND]))
    order(tenant, run_id, pause_runs)

    [verdict] = move(tenant)
    assert (verdict.state, waits_of(tenant, run_id)[-1]) == ("paused", ("grace", 2, ""))
    assert_rebuilt(tenant, run_id)
    send(tenant, "refund.asked", "ada")
    drain(tenant)
    order(tenant, run_id, resume_runs)

    assert run_of(tenant, run_id).terminal_reason == "refunded"
    assert_rebuilt(tenant, run_id)


def test_stop_fix_move_and_go_on(tenant: Tenant) -> None:
    """The switch holds the runs of a definition that does harm until they are on a version that does not."""
    run_id = waiting_run(tenant)
    who = {"tenant_id": tenant.pk, "key": "dunning", "cause": Cause.OPERATOR, "cause_ref": "grace", "why": "harm"}
    switch_definition(**who, level="all_off")  # type: ignore[arg-type]
    send(tenant, "refund.asked", "ada")
    drain(tenant)
    publish(tenant, grace(signals=[REFUND]))

    move(tenant)
    assert (run_of(tenant, run_id).state, version_of(tenant, run_id)) == ("paused", 2)
    switch_definition(**who, level="on")  # type: ignore[arg-type]
    engine_turn(tenant_id=tenant.pk)

    assert run_of(tenant, run_id).terminal_reason == "refunded"
    assert_rebuilt(tenant, run_id)


def test_the_explanation_says_so(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(on_timeout={"goto": "second"}))
    before = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)

    move(tenant)

    said = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)
    assert (before.version, before.moved_from) == (1, None)
    assert (said.version, said.moved_from) == (2, 1)
    assert "It was moved from version 1 to version 2 at " in said.sentence
    assert last_line(tenant, run_id, "version_changed").seq in said.evidence
    assert said.waiting_for is not None
    assert said.waiting_for.on_timeout == {"step": "second"}


def test_a_late_outcome_of_a_step_that_is_gone_is_noted(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    _, rest, again = CALL_THEN_WAIT["steps"]
    publish(tenant, {**CALL_THEN_WAIT, "steps": [rest, again]})
    [verdict] = move(tenant, "ring")
    assert verdict.outcome == "kept"

    from workflows.engine.events import StepSettled
    from workflows.store.batch import RunBatch

    with tenant_scope(tenant.pk):
        batch = RunBatch.lock(tenant.pk, [run_id])
        batch.apply(run_id, StepSettled("call", 1, "bounced", "late"))
        batch.flush()

    assert (reasons_of(tenant, run_id)[-1], run_of(tenant, run_id).state) == ("outcome_noted", "waiting")
    assert_rebuilt(tenant, run_id)


def test_work_that_is_done_again_for_a_step_that_is_gone_finds_its_config(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    _, rest, again = CALL_THEN_WAIT["steps"]
    publish(tenant, {**CALL_THEN_WAIT, "steps": [rest, again]})
    move(tenant, "ring")
    with tenant_scope(tenant.pk):
        again = StepRun.objects.for_tenant(tenant.pk).get(run_id=run_id, step="call")
        again.pk, again.resend, again.key = None, 1, f"{again.key}:1"
        again.status, again.due_at, again.finished_at = "owed", database_now(), None
        again.save(force_insert=True)

    claim = claim_work(tenant_id=tenant.pk, worker="w")

    assert claim is not None
    assert claim.step["key"] == "call"
    finish_work(claim=claim, outcome=Outcome("delivered"))


def test_what_cannot_be_undone_must_stay_known(tenant: Tenant, probe: Probe) -> None:
    call, rest, again = CALL_THEN_WAIT["steps"]
    once = {**CALL_THEN_WAIT, "steps": [{**call, "irreversible": True}, rest, again]}
    publish(tenant, once)
    run_id = start(tenant, "ring", correlation={"order": "o1"})
    drain(tenant)
    finish_work(claim=taken(tenant), outcome=Outcome("delivered"))
    publish(tenant, CALL_THEN_WAIT)

    [verdict] = move(tenant, "ring")

    assert (verdict.verdict, str(verdict.outcome), version_of(tenant, run_id)) == ("refused", "irreversible", 1)


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"to_version": 1}, Invalid),
        ({"to_version": 9}, DefinitionNotFound),
        ({"from_version": 9}, DefinitionNotFound),
        ({"to_version": 3}, WrongStatus),
        ({"steps": {"nobody": "grace"}}, Invalid),
        ({"steps": {"grace": "nobody"}}, Invalid),
        ({"due": "never"}, Invalid),
    ],
)
def test_a_refusal_writes_nothing(tenant: Tenant, given: dict[str, Any], error: type[ChimewayError]) -> None:
    run_id = waiting_run(tenant)
    publish(tenant, grace(on_timeout={"goto": "second"}))
    good = look(tenant).plan
    save_draft(tenant_id=tenant.pk, document=grace(signals=[REFUND]))
    before = rows_of(tenant)

    with pytest.raises(error):
        look(tenant, **given)
    with pytest.raises(error):
        carry_out(tenant, replace(good, change=change(**given)))

    assert rows_of(tenant) == before
    assert version_of(tenant, run_id) == 1


def test_runs_do_not_move_to_a_retired_version(tenant: Tenant) -> None:
    waiting_run(tenant)
    publish(tenant, grace(on_timeout={"goto": "second"}))
    plan = look(tenant).plan
    retire_definition(tenant_id=tenant.pk, key="dunning", version=2)

    with pytest.raises(WrongStatus):
        carry_out(tenant, plan)


def test_signal_timer_cancel_and_move_have_one_winner(
    tenant: Tenant, together: Callable[..., list[Any]], in_turn: Callable[..., list[Any]]
) -> None:
    """At one instant, in two dozen runs: each ends once, by the rules of the version that it was on at that moment.

    In the first three each goes first once, for certain.
    """
    ended: list[tuple[str, str]] = []
    for number in range(24):
        key = f"race{number}"
        document = {**grace(**{"for": "PT1H"}), "key": key}
        run_id = waiting_run(tenant, document, correlation={"invoice_id": str(number)})
        first, second = document["steps"]
        other = {**first, "signals": [{**first["signals"][0], "then": {"stop": "new_rule"}}]}
        publish(tenant, {**document, "steps": [other, second]})
        plan = look(tenant, key).plan
        receipt = paid(tenant, str(number))
        calls = [
            lambda: drain(tenant),
            lambda plan=plan: carry_out(tenant, plan),
            *([lambda run_id=run_id: order(tenant, run_id, cancel_runs)] if number % 4 == 0 else []),
        ]

        results = (in_turn if number < 3 else together)(*(calls if number % 2 else calls[::-1]))

        assert not [one for one in results if isinstance(one, Exception)], results
        drain(tenant)
        run = run_of(tenant, run_id)
        ended.append((run.state, "" if run.state == "cancelled" else run.terminal_reason))
        expected = {"stopped": 2, "completed": 1}.get(run.state)
        assert expected in (None, version_of(tenant, run_id))
        [(_, verdict, _)] = verdicts_of(tenant, receipt)
        assert verdict == ("late" if run.state == "cancelled" else "matched")
        with tenant_scope(tenant.pk):
            assert not Wait.objects.filter(tenant_id=tenant.pk, run_id=run_id, closed_at__isnull=True).exists()
        assert_rebuilt(tenant, run_id)
    assert ended[:3] == [("cancelled", ""), ("completed", "completed_by_rule"), ("stopped", "new_rule")]


def test_a_run_that_moved_is_undone_as_its_new_version_says(tenant: Tenant, probe: Probe) -> None:
    """By key, also a step that says so only there, and visits of before the move."""
    first = {"key": "charge", "kind": "probe", "compensate": {"kind": "probe", "retry": {"max_attempts": 1}}}
    second = {"key": "ship", "kind": "probe"}
    rest = {"key": "rest", "kind": "wait", "for": "P1D"}
    publish(tenant, {"key": "order", "steps": [first, second, rest]})
    run_id = start(tenant, "order")
    while drain(tenant) + work_turn(tenant_id=tenant.pk):
        pass
    undo = {"kind": "probe", "retry": {"max_attempts": 7}}
    publish(tenant, {"key": "order", "steps": [first | {"compensate": undo}, second | {"compensate": undo}, rest]})
    [verdict] = move(tenant, "order")
    assert (verdict.verdict, verdict.outcome) == ("moved", "kept")

    by = {"cause": Cause.API, "cause_ref": "test", "reason": "withdrawn"}
    [told] = cancel_runs(tenant_id=tenant.pk, public_ids=[verdict.public_id], compensate=True, **by)

    assert told.compensates == ("ship", "charge")
    claim = claim_work(tenant_id=tenant.pk, worker="w")
    assert claim is not None
    assert claim.step["retry"] == {"max_attempts": 7}
    assert_rebuilt(tenant, run_id)
    refused = fates(look(tenant, "order", from_version=2, to_version=1))
    assert refused == []  # an ended run stays on the version that undoes it
