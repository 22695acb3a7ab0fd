"""Pausing: a paused run keeps its place and its clocks, and what is told to it meanwhile counts when it goes on."""

from collections.abc import Mapping
from typing import Any

from workflows.engine.events import HeldBySwitch, PauseAsked, ResumeAsked, TimesChanged
from workflows.engine.journey import Journey
from workflows.engine.settling import settle_held
from workflows.states import Cause, Reason, RunState

SWITCH = "switch"  # in the status of a paused run: the switch of its definition holds it, and no person


def pause(journey: Journey, event: PauseAsked) -> None:
    """Hold a live run where it stands. A wait keeps its due time; the deadline of the run goes on counting."""
    if journey.run.is_finished or journey.run.state == RunState.PAUSED:
        return
    until = {} if event.until is None else {"until": event.until.isoformat()}
    _pause(journey, event, Reason.PAUSED, until)
    journey.run.suspended_until = event.until


def hold(journey: Journey, event: HeldBySwitch) -> None:
    """Hold a live run because its definition is switched off. A pause that is not over stays somebody's pause."""
    run = journey.run
    if run.is_finished:
        return
    if run.state != RunState.PAUSED:
        _pause(journey, event, Reason.DEFINITION_OFF, {SWITCH: True})
    elif _is_over(journey):
        status = {**run.status_context, SWITCH: True, "why": event.reason}
        journey.move(RunState.PAUSED, event.cause, event.cause_ref, Reason.DEFINITION_OFF, status)
        run.suspended_until = None


def _pause(journey: Journey, event: PauseAsked | HeldBySwitch, reason: Reason, more: Mapping[str, Any]) -> None:
    run = journey.run
    context: dict[str, Any] = {"was": str(run.state), "why": event.reason, **more}
    if run.status_reason == Reason.STEP_KIND_UNKNOWN:
        context["kind"] = run.status_context["kind"]
    if run.state == RunState.PENDING and run.begins_at is not None:
        context["begins_at"] = run.begins_at.isoformat()
    journey.move(RunState.PAUSED, event.cause, event.cause_ref, reason, context)


def resume(journey: Journey, event: ResumeAsked) -> None:
    """Go on as before the pause. A signal that came meanwhile goes first, then outcomes; the timer fires after them."""
    run, status = journey.run, journey.run.status_context
    if run.state != RunState.PAUSED or (event.cause == Cause.TIMER and not _is_over(journey)):
        return
    journey.move(RunState(status["was"]), event.cause, event.cause_ref, Reason.RESUMED, {"why": event.reason})
    run.suspended_until = None
    if "kind" in status:
        here = {"kind": status["kind"]}
        journey.move(RunState.ACTIVE, Cause.STEP, run.step, Reason.STEP_KIND_UNKNOWN, here)
    _use_signal(journey)
    settle_held(journey, status)


def change_times(journey: Journey, event: TimesChanged) -> None:
    """Move the deadline, and of a paused run the end of the pause; the run stays where it is."""
    run = journey.run
    if run.is_finished:
        return
    run.deadline_at = event.changes.get("deadline_at", run.deadline_at)
    if run.state == RunState.PAUSED:
        run.suspended_until = event.changes.get("suspended_until", run.suspended_until)
    context = {name: at and at.isoformat() for name, at in event.changes.items()}
    journey.note(event.cause, event.cause_ref, Reason.TIMES_CHANGED, {**context, "why": event.reason})


def _is_over(journey: Journey) -> bool:
    until = journey.run.suspended_until
    return until is not None and until <= journey.now


def _use_signal(journey: Journey) -> None:
    """The oldest signal that the open wait would have taken, had the run not been paused."""
    wait = journey.run.wait
    if wait is None:
        return
    early = journey.early_signal(wait, wait.look_back_from or wait.opened_at)
    if early is not None:
        journey.close_wait("signal")
        journey.use_early(wait, *early)
