"""What the outcome of a step does to its run: now, later in another step, or once a pause is over."""

from collections.abc import Mapping
from typing import Any

from workflows.definitions.document import Step, Target
from workflows.engine.events import StepFailed, StepOwedAgain, StepRests, StepSettled, StepUnknown
from workflows.engine.facts import Answer
from workflows.engine.journey import Journey
from workflows.states import Cause, Reason, RunState
from workflows.steps.registry import kinds, step_kind

Told = StepSettled | StepFailed | StepUnknown | StepOwedAgain | StepRests
HELD = "outcomes"  # where the status of a paused run keeps them


def settled(journey: Journey, event: StepSettled) -> None:
    """The work of a step has an outcome: the run goes on, leaves its wait for a rule, or only takes note."""
    run = journey.run
    step = journey.document.by_key.get(event.step)
    if run.is_finished:
        return
    target = _after(step, event.outcome)
    context = {"outcome": event.outcome} | dict(event.context)
    if event.answer is not None:
        _take(journey, event, event.answer)
        context |= event.answer.as_context()
    if run.state == RunState.ACTIVE and _stands_at(journey, event):
        journey.note(event.cause, event.cause_ref, Reason.STEP_SETTLED, context)
        _go_on(journey, event.outcome, target, context)
    elif run.state == RunState.PAUSED and (target is not None or _stands_at(journey, event)):
        _hold(journey, event.cause_ref, _place(event) | {"outcome": event.outcome, "context": context})
    elif target is not None and run.state == RunState.WAITING:
        journey.close_wait("outcome")
        journey.move(RunState.ACTIVE, event.cause, event.cause_ref, Reason.OUTCOME_NOTED, context | {"of": event.step})
        journey.follow(target, Reason.RULE_COMPLETED)
    else:
        journey.note(event.cause, event.cause_ref, Reason.OUTCOME_NOTED, context | {"of": event.step})


def _after(step: Step | None, outcome: str) -> Target | None:
    """Where an outcome leads. Of a step of a version that the run has left: nowhere in particular."""
    if step is None:
        return None
    return step_kind(step.kind).after(step, outcome) if step.kind in kinds() else step.on_outcome.get(outcome)


def _go_on(journey: Journey, outcome: str, target: Target | None, context: Mapping[str, Any]) -> None:
    """Follow the target; a kind may have a reason of its own for completing the run, which then says what it knows."""
    ended = step_kind(journey.document.by_key[journey.run.step].kind).ended_as.get(outcome)
    if ended is None or target is None or target.kind != "complete":
        journey.follow(target, Reason.RULE_COMPLETED)
    else:
        journey.end(RunState.COMPLETED, Cause.STEP, journey.run.step, ended, str(ended), context)


def rests(journey: Journey, event: StepRests) -> None:
    """Its work is planned and no worker will do it: the run stands there, and says why."""
    if journey.run.state == RunState.ACTIVE and _stands_at(journey, event):
        journey.move(RunState.ACTIVE, Cause.STEP, event.cause_ref, Reason(event.reason), event.context)


def failed(journey: Journey, event: StepFailed) -> None:
    """The work of a step cannot be told an outcome: the run that stands there fails."""
    run = journey.run
    if not _stands_at(journey, event):
        return
    if run.state == RunState.PAUSED:
        _hold(journey, event.cause_ref, _place(event) | {"failed": event.reason})
    elif run.state == RunState.ACTIVE:
        journey.end(RunState.FAILED, Cause.STEP, event.cause_ref, Reason(event.reason), event.reason)


def unknown(journey: Journey, event: StepUnknown) -> None:
    """Nobody knows how it ended: the run that stands there stays, and says so, until somebody settles it."""
    run = journey.run
    context = {"outcome": "unknown"} | dict(event.context)
    if run.is_finished:
        return
    if not _stands_at(journey, event):
        journey.note(Cause.STEP, event.cause_ref, Reason.OUTCOME_NOTED, context | {"of": event.step})
    elif run.state == RunState.PAUSED:
        _hold(journey, event.cause_ref, _place(event) | {"outcome": "unknown", "unknown": dict(event.context)})
    elif run.state == RunState.ACTIVE:
        journey.move(RunState.ACTIVE, Cause.STEP, event.cause_ref, Reason.UNKNOWN_OUTCOME, context)


def owed_again(journey: Journey, event: StepOwedAgain) -> None:
    """It did not take effect, somebody says: its work is owed as before."""
    if journey.run.state == RunState.ACTIVE and _stands_at(journey, event):
        journey.move(RunState.ACTIVE, event.cause, event.cause_ref, Reason.STEP_OWED, {"why": event.reason})


def settle_held(journey: Journey, status: Mapping[str, Any]) -> None:
    """Let what a paused run was told count, in the order in which it came. `status` is the context of the pause."""
    for one in status.get(HELD, ()):
        place = one["step"], one["visit"]
        if "failed" in one:
            failed(journey, StepFailed(*place, one["failed"], one["ref"]))
        elif "unknown" in one:
            unknown(journey, StepUnknown(*place, one["ref"], one["unknown"]))
        else:
            settled(journey, StepSettled(*place, one["outcome"], one["ref"], one["context"]))


def _stands_at(journey: Journey, event: Told) -> bool:
    run = journey.run
    return (run.step, run.visits.get(run.step)) == (event.step, event.visit)


def _place(event: Told) -> dict[str, Any]:
    return {"step": event.step, "visit": event.visit, "ref": event.cause_ref}


def _take(journey: Journey, event: StepSettled, answer: Answer) -> None:
    """What the step brought back is part of the run's data from now on, also of a run that is paused."""
    journey.run.data = {**(journey.run.data or {}), answer.name: answer.value}
    journey.decision.answers.append((event.step, event.visit, answer))


def _hold(journey: Journey, ref: str, told: dict[str, Any]) -> None:
    """Keep it in the status, so that the trace alone tells what the run does when it goes on."""
    status = journey.run.status_context
    held = [*status.get(HELD, ()), told]
    journey.move(RunState.PAUSED, Cause.STEP, ref, Reason.OUTCOME_HELD, {**status, HELD: held})
