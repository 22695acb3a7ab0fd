"""A definition that is switched off starts nothing; with `all_off` its runs are held, and lose nothing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from chimeway_py.errors import Invalid
from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.control.runs import CALL_THEN_WAIT, begun, order, resting, taken
from tests.journeys import drain, publish, reasons_of, rows_of, run_of, send, signal_of, start, verdicts_of
from tests.workflows.probe import Probe
from workflows.definitions.errors import DefinitionNotFound
from workflows.errors import DefinitionOff
from workflows.explain import explain_run, explain_signal
from workflows.models import DefinitionSwitch, Run, StepRun, SwitchChange
from workflows.services.control import cancel_runs, pause_runs, resume_runs, wake_runs
from workflows.services.definitions import retire_definition
from workflows.services.sweeping import due_work
from workflows.services.switch_holding import release_held
from workflows.services.switches import switch_changes, switch_definition, switch_of
from workflows.services.turn import engine_turn, work_turn
from workflows.services.work import claim_work, finish_work
from workflows.states import Cause
from workflows.steps.base import Outcome

STARTED: dict[str, Any] = {
    **CALL_THEN_WAIT,
    "key": "started",
    "start_on": {"signal": "order.made", "subject": "data.who"},
}


def switch(tenant: Tenant, level: str, key: str = "ring", why: str = "bad copy") -> DefinitionSwitch:
    return switch_definition(
        tenant_id=tenant.pk, key=key, level=level, cause=Cause.OPERATOR, cause_ref="grace", why=why
    )


def explained(tenant: Tenant, run_id: int) -> Any:
    return explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)


def go_on(tenant: Tenant) -> None:
    """What sweeps make workers do, until nothing is left."""
    while engine_turn(tenant_id=tenant.pk) + work_turn(tenant_id=tenant.pk):
        pass


def is_due(tenant: Tenant) -> bool:
    return any(tenant_id == tenant.pk for _, tenant_id in due_work())


@pytest.mark.parametrize("level", ["starts_off", "all_off"])
def test_nothing_starts(tenant: Tenant, probe: Probe, level: str) -> None:
    publish(tenant, CALL_THEN_WAIT)
    before = rows_of(tenant)

    switch(tenant, level)
    with pytest.raises(DefinitionOff) as refused:
        start(tenant, "ring")

    assert (refused.value.code, refused.value.detail) == ("definition_off", {"level": level})
    assert rows_of(tenant) == before
    switch(tenant, "on")
    assert run_of(tenant, start(tenant, "ring")).state == "pending"


def test_a_start_signal_is_told(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, STARTED)
    switch(tenant, "starts_off", "started")

    receipt = send(tenant, "order.made", data={"who": "ada"})
    drain(tenant)

    stored = signal_of(tenant, receipt)
    assert (stored.verdict, stored.verdict_reason) == ("rejected", "definition_off")
    said = explain_signal(tenant_id=tenant.pk, public_id=receipt.public_id)
    assert "the definition of started v1 is switched off and starts nothing" in said.sentence
    assert rows_of(tenant, [Run]) == [0]


def test_runs_under_way_go_on_when_only_starts_are_off(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    switch(tenant, "starts_off")

    go_on(tenant)

    assert (run_of(tenant, run_id).state, len(probe.ledger)) == ("waiting", 1)
    assert "switched off" not in explained(tenant, run_id).sentence


def test_owed_work_is_held_and_done_later(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)

    switch(tenant, "all_off")
    go_on(tenant)
    held, said = run_of(tenant, run_id), explained(tenant, run_id)
    switch(tenant, "on", why="copy is right now")
    go_on(tenant)

    assert (held.state, held.status_reason) == ("paused", "definition_off")
    assert said.sentence.startswith("Held at “call” because its definition was switched off.")
    assert "by an operator (grace) (bad copy): the run does not go on" in said.sentence
    assert {one.name for one in said.actions if one.allowed} == {"cancel"}
    assert [one.on for one in said.next] == ["deadline"]
    assert [key for key, _ in probe.ledger] == [f"{held.public_id}:call:1"]
    assert reasons_of(tenant, run_id)[2:5] == ["step_owed", "definition_off", "resumed"]
    assert run_of(tenant, run_id).state == "waiting"


def test_sweeps_do_not_spin_on_held_runs(tenant: Tenant, probe: Probe) -> None:
    runs = [begun(tenant) for _ in range(3)]
    switch(tenant, "all_off")

    go_on(tenant)

    assert not is_due(tenant)
    traces = [len(reasons_of(tenant, run_id)) for run_id in runs]
    go_on(tenant)
    assert [len(reasons_of(tenant, run_id)) for run_id in runs] == traces


def test_many_runs_are_held_at_once(tenant: Tenant, probe: Probe) -> None:
    runs = [begun(tenant) for _ in range(5)]
    switch(tenant, "all_off")

    assert claim_work(tenant_id=tenant.pk, worker="w") is None

    assert {run_of(tenant, run_id).state for run_id in runs} == {"paused"}


def test_other_definitions_go_on(tenant: Tenant, probe: Probe) -> None:
    held = begun(tenant)
    publish(tenant, CALL_THEN_WAIT | {"key": "other"})
    other = start(tenant, "other")

    switch(tenant, "all_off")
    go_on(tenant)

    assert [run_of(tenant, run_id).state for run_id in (held, other)] == ["paused", "waiting"]


def test_other_tenants_go_on(tenant: Tenant, other_tenant: Tenant, probe: Probe) -> None:
    begun(tenant)
    theirs = begun(other_tenant)

    switch(tenant, "all_off")
    go_on(other_tenant)

    assert run_of(other_tenant, theirs).state == "waiting"
    assert switch_of(tenant_id=other_tenant.pk, key="ring").level == "on"


def test_a_pending_run_begins_later(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, CALL_THEN_WAIT)
    run_id = start(tenant, "ring")

    switch(tenant, "all_off")
    go_on(tenant)
    assert reasons_of(tenant, run_id) == ["created", "definition_off"]
    switch(tenant, "on")
    go_on(tenant)

    assert run_of(tenant, run_id).state == "waiting"


def test_a_signal_is_kept_and_goes_before_the_timer(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant, correlation={"order": "o1"})
    due = run_of(tenant, run_id).due_at
    assert due is not None
    switch(tenant, "all_off")

    receipt = send(tenant, "order.paid", correlation={"order": "o1"})
    drain(tenant, now=due + timedelta(hours=1))
    kept = verdicts_of(tenant, receipt)
    switch(tenant, "on")
    release_held(tenant_id=tenant.pk)

    assert kept == [(run_id, "buffered", "definition_off")]
    assert reasons_of(tenant, run_id)[-5:] == [
        "definition_off",
        "signal_buffered",
        "resumed",
        "early_signal_used",
        "rule_completed",
    ]


def test_a_run_that_nothing_happened_to_says_that_it_is_held(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    switch(tenant, "all_off")

    said = explained(tenant, run_id)
    woken = order(tenant, run_id, wake_runs)

    assert run_of(tenant, run_id).state == "waiting"
    assert "The definition “ring” was switched off" in said.sentence
    assert {one.name: one.why_not for one in said.actions}["wake"] == "Its definition is switched off."
    assert (woken.verdict, woken.why) == ("refused", "Its definition is switched off.")
    assert run_of(tenant, run_id).state == "waiting"


def test_a_timer_that_came_due_fires_later(tenant: Tenant, probe: Probe) -> None:
    run_id = resting(tenant)
    due = run_of(tenant, run_id).due_at
    assert due is not None
    later = due + timedelta(hours=1)

    switch(tenant, "all_off")
    assert drain(tenant, now=later) == 1
    assert drain(tenant, now=later) == 0
    switch(tenant, "on")
    release_held(tenant_id=tenant.pk)
    drain(tenant, now=later)

    assert reasons_of(tenant, run_id)[-4:] == ["definition_off", "resumed", "wait_timed_out", "step_owed"]


def test_work_in_flight_is_finished_and_its_outcome_kept(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    claim = taken(tenant)

    switch(tenant, "all_off")
    finish_work(claim=claim, outcome=Outcome("bounced"))
    held = run_of(tenant, run_id)
    go_on(tenant)
    assert probe.ledger == []
    switch(tenant, "on")
    release_held(tenant_id=tenant.pk)

    assert (held.state, held.step) == ("paused", "call")
    assert run_of(tenant, run_id).step == "again"


def test_the_deadline_and_a_cancel_still_count(tenant: Tenant, probe: Probe) -> None:
    late, unwanted = begun(tenant), begun(tenant)
    switch(tenant, "all_off")
    go_on(tenant)

    drain(tenant, now=database_now() + timedelta(days=31))
    cancelled = order(tenant, unwanted, cancel_runs)

    assert run_of(tenant, late).state == "expired"
    assert cancelled.verdict == "refused"  # it had expired, too


def test_somebodys_pause_stays_a_pause(tenant: Tenant, probe: Probe) -> None:
    forever, a_while = begun(tenant), begun(tenant)
    order(tenant, forever, pause_runs)
    until = database_now() + timedelta(hours=1)
    order(tenant, a_while, pause_runs, until=until)

    switch(tenant, "all_off")
    assert order(tenant, forever, resume_runs).why == "Its definition is switched off."
    drain(tenant, now=until + timedelta(minutes=1))
    assert run_of(tenant, a_while).status_reason == "definition_off"
    switch(tenant, "on")
    go_on(tenant)

    assert run_of(tenant, forever).status_reason == "paused"
    assert run_of(tenant, a_while).state == "waiting"


def test_a_release_that_died_is_taken_up_by_a_sweep(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    switch(tenant, "all_off")
    go_on(tenant)

    switch(tenant, "on")  # and nobody is nudged

    assert is_due(tenant)
    go_on(tenant)
    assert run_of(tenant, run_id).state == "waiting"
    assert not switch_of(tenant_id=tenant.pk, key="ring").releasing


def test_it_is_separate_from_versions(tenant: Tenant, probe: Probe) -> None:
    run_id = begun(tenant)
    switch(tenant, "all_off")
    publish(tenant, {**CALL_THEN_WAIT, "deadline": "P31D"})
    retire_definition(tenant_id=tenant.pk, key="ring", version=1)

    with pytest.raises(DefinitionOff):
        start(tenant, "ring")
    go_on(tenant)

    assert run_of(tenant, run_id).status_reason == "definition_off"


def test_every_change_is_kept_and_none_is_written_twice(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, CALL_THEN_WAIT)

    for level, why in (("all_off", "bad copy"), ("all_off", "again"), ("on", "right now")):
        switch(tenant, level, why=why)

    changes = switch_changes(tenant_id=tenant.pk, key="ring")
    said = [(one.level, one.why, one.cause, one.cause_ref) for one in changes]
    assert said == [("on", "right now", "operator", "grace"), ("all_off", "bad copy", "operator", "grace")]


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"level": "half"}, Invalid),
        ({"level": "on", "why": " "}, Invalid),
        ({"level": "on", "why": "x" * 65}, Invalid),
        ({"level": "all_off", "key": "nobody"}, DefinitionNotFound),
    ],
)
def test_a_refusal_writes_nothing(tenant: Tenant, probe: Probe, asked: dict[str, str], error: type[Exception]) -> None:
    publish(tenant, CALL_THEN_WAIT)

    with pytest.raises(error):
        switch(tenant, **asked)

    assert rows_of(tenant, [DefinitionSwitch, SwitchChange]) == [0, 0]


def test_nothing_is_claimed_after_the_answer(tenant: Tenant, probe: Probe, together: Callable[..., list[Any]]) -> None:
    """Four workers and a switch at the same moment: what was claimed before it returned is all that is ever sent."""
    for _ in range(40):
        begun(tenant)
    at_answer: list[int] = []

    def attempts() -> int:
        with tenant_scope(tenant.pk):
            return sum(StepRun.objects.for_tenant(tenant.pk).values_list("attempts_made", flat=True))

    def off() -> None:
        switch(tenant, "all_off")
        at_answer.append(attempts())

    results = together(*[lambda: work_turn(tenant_id=tenant.pk)] * 4, off)
    go_on(tenant)

    assert not [one for one in results if isinstance(one, Exception)]
    assert attempts() == at_answer[0] == len(probe.ledger)
    switch(tenant, "on")
    go_on(tenant)
    assert len({key for key, _ in probe.ledger}) == len(probe.ledger) == 40
