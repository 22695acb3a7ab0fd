"""Approvals: somebody's decision ends the wait as a signal would; a reminder is told and leaves it open."""

from dataclasses import replace
from typing import Any

from workflows.engine.events import ApprovalDecided, ReminderDue
from workflows.engine.journey import Journey
from workflows.states import Cause, Reason, RunState


def decide_approval(journey: Journey, event: ApprovalDecided) -> None:
    """Go where yes or no leads, as it was fixed when the approval opened."""
    wait = journey.run.wait
    if journey.run.state != RunState.WAITING or wait is None or not wait.routes:
        return
    target = wait.routes["approve" if event.approved else "reject"]
    context: dict[str, Any] = {"actor": event.actor, "then": target.as_declared()}
    if event.payload:
        context["payload"] = event.payload
    if wait.due_at is not None and wait.due_at <= journey.now:
        context["beaten"] = "timer"  # both were due; the decision took the row lock first
    reason = Reason.APPROVED if event.approved else Reason.REJECTED
    journey.close_wait(str(reason))
    journey.move(RunState.ACTIVE, event.cause, event.cause_ref, reason, context)
    journey.follow(target, Reason.RULE_COMPLETED)


def remind(journey: Journey, event: ReminderDue) -> None:
    """Note that the decision is still due, once."""
    run, wait = journey.run, journey.run.wait
    if run.state != RunState.WAITING or wait is None or wait.remind_at is None or wait.remind_at > journey.now:
        return
    run.wait = replace(wait, remind_at=None)
    journey.decision.reminded.append(run.wait)
    journey.note(Cause.TIMER, f"{wait.step}:{wait.visit}", Reason.REMINDED, {"actors": list(wait.actors)})
