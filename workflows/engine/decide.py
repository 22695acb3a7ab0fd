"""From where a run stands and what happened to it: everything that must be written, as one value."""

from datetime import datetime
from typing import Any

from workflows.definitions.document import Document
from workflows.engine import events
from workflows.engine.approving import decide_approval, remind
from workflows.engine.facts import BoundRule, Decision, Judged, RunFacts, SignalFacts, WaitFacts
from workflows.engine.journey import Journey
from workflows.engine.matching import bind, is_meant, judge, listens_later
from workflows.engine.moving import change_version
from workflows.engine.pausing import SWITCH, change_times, hold, pause, resume
from workflows.engine.settling import failed, owed_again, rests, settled, unknown
from workflows.states import Cause, Reason, RunState


def decide(document: Document, run: RunFacts, event: events.Event, now: datetime) -> Decision:
    """What the event does to the run. An event that comes too late decides nothing: no moves."""
    journey = Journey(document, run.copy(), now)
    _DECIDERS[type(event)](journey, event)
    return journey.decision


def _begin(journey: Journey, event: events.Begin) -> None:
    if journey.run.state != RunState.PENDING:
        return
    journey.move(RunState.ACTIVE, event.cause, event.cause_ref, Reason.STARTED)
    journey.enter(journey.document.steps[0])


def _enter_again(journey: Journey, event: events.EnterAgain) -> None:
    if journey.run.state == RunState.ACTIVE and journey.run.status_reason == Reason.STEP_KIND_UNKNOWN:
        journey.enter_again()


def _signal(journey: Journey, event: events.SignalArrived) -> None:
    run, signal = journey.run, event.signal
    if run.is_finished:
        journey.decision.judged = Judged("late", "run_finished")
        return
    if not _could_match(journey, event):
        journey.decision.judged = Judged("unmatched", "values_differ")
        return
    if run.wait is None:
        _buffer_or_late(journey, event)
        return
    rule, refused = judge(run.wait.rules, signal, run, run.wait.step)
    if refused is not None:
        journey.decision.judged = refused
        context = {"signal": signal.name} | dict(refused.context)
        journey.note(Cause.SIGNAL, signal.public_id, Reason.SIGNAL_REJECTED, context)
    elif rule is None:
        _buffer_or_late(journey, event)
    elif run.state == RunState.PAUSED:
        why = "definition_off" if SWITCH in run.status_context else "run_paused"
        _buffer(journey, signal, Judged("buffered", why, run.wait.step))
    else:
        _end_wait(journey, run.wait, signal, rule)


def _end_wait(journey: Journey, wait: WaitFacts, signal: SignalFacts, rule: BoundRule) -> None:
    journey.decision.judged = Judged("matched", "wait_ended", wait.step)
    context: dict[str, Any] = {"signal": signal.name, "then": rule.then.as_declared()}
    if wait.due_at is not None and wait.due_at <= journey.now:
        context["beaten"] = "timer"  # both were due; the signal took the row lock first
    journey.close_wait("signal")
    journey.move(RunState.ACTIVE, Cause.SIGNAL, signal.public_id, Reason.SIGNAL_MATCHED, context)
    journey.follow(rule.then, Reason.RULE_COMPLETED)


def _could_match(journey: Journey, event: events.SignalArrived) -> bool:
    """The index found the run by one match value; only here is every value compared."""
    run = journey.run
    return any(is_meant(rule, event.signal, run) for step in journey.document.steps for rule in bind(step.rules, run))


def _buffer_or_late(journey: Journey, event: events.SignalArrived) -> None:
    run, signal = journey.run, event.signal
    if not listens_later(journey.document, run.step, signal.name):
        journey.decision.judged = Judged("late", "wait_passed")
        return
    _buffer(journey, signal, Judged("buffered", "no_wait_open"))


def _buffer(journey: Journey, signal: SignalFacts, judged: Judged) -> None:
    run = journey.run
    journey.decision.judged = judged
    run.pending_signals += 1
    run.buffered = (*run.buffered, signal)
    journey.note_signal(signal)


def _timer(journey: Journey, event: events.TimerFired) -> None:
    wait = journey.run.wait
    if journey.run.state != RunState.WAITING or wait is None or wait.due_at is None or wait.due_at > journey.now:
        return
    late_by = int((journey.now - wait.due_at).total_seconds() * 1000)
    context = {"then": wait.on_timeout.as_declared(), "late_ms": late_by}
    _leave_wait(journey, "timeout", Cause.TIMER, f"{wait.step}:{wait.visit}", Reason.WAIT_TIMED_OUT, context)


def _wake(journey: Journey, event: events.WakeAsked) -> None:
    if journey.run.state != RunState.WAITING or journey.run.wait is None:
        return
    context = {"then": journey.run.wait.on_timeout.as_declared(), "why": event.reason}
    _leave_wait(journey, "woken", event.cause, event.cause_ref, Reason.WOKEN, context)


def _leave_wait(
    journey: Journey, outcome: str, cause: Cause, ref: str, reason: Reason, context: dict[str, Any]
) -> None:
    wait = journey.run.wait
    assert wait is not None
    journey.close_wait(outcome)
    journey.move(RunState.ACTIVE, cause, ref, reason, context)
    journey.follow(wait.on_timeout, Reason.RULE_COMPLETED)


def _deadline(journey: Journey, event: events.DeadlinePassed) -> None:
    run = journey.run
    if run.is_finished or run.deadline_at is None or run.deadline_at > journey.now:
        return
    journey.end(RunState.EXPIRED, Cause.TIMER, "deadline", Reason.DEADLINE_PASSED, "deadline_passed")


def _cancel(journey: Journey, event: events.CancelAsked) -> None:
    if journey.run.is_finished:
        return
    code = Reason.CANCELLED_BEFORE_START if event.sticky else Reason.CANCELLED
    more = {"sticky": event.sticky} if event.sticky else {}
    undone = event.compensate
    journey.end(RunState.CANCELLED, event.cause, event.cause_ref, code, event.reason, more, compensate=undone)


def _compensate(journey: Journey, event: events.CompensateAsked) -> None:
    if journey.run.is_finished:
        journey.undo(event.cause, event.cause_ref, event.reason)


_DECIDERS: dict[type[Any], Any] = {
    events.Begin: _begin,
    events.EnterAgain: _enter_again,
    events.SignalArrived: _signal,
    events.TimerFired: _timer,
    events.WakeAsked: _wake,
    events.DeadlinePassed: _deadline,
    events.CancelAsked: _cancel,
    events.CompensateAsked: _compensate,
    events.StepSettled: settled,
    events.StepRests: rests,
    events.StepFailed: failed,
    events.StepUnknown: unknown,
    events.StepOwedAgain: owed_again,
    events.ApprovalDecided: decide_approval,
    events.ReminderDue: remind,
    events.PauseAsked: pause,
    events.HeldBySwitch: hold,
    events.VersionChanged: change_version,
    events.TimesChanged: change_times,
    events.ResumeAsked: resume,
}
