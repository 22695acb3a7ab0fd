"""What each table of the engine is given: column names and types, and rows made from the engine's facts."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from workflows.engine.facts import BoundRule, Judged, SignalFacts, WaitFacts
from workflows.models.step_run import StepRunStatus
from workflows.steps.base import SUCCESSES, UNKNOWN
from workflows.store.chain import canonical
from workflows.store.load import LockedRun

TRANSITION = {
    "run_id": "bigint",
    "seq": "int",
    "step": "text",
    "visit": "int",
    "delivery": "uuid",
    "cause": "text",
    "cause_ref": "text",
    "from_state": "text",
    "to_state": "text",
    "reason": "text",
    "context": "jsonb",
    "occurred_at": "timestamptz",
    "prev_hash": "bytea",
    "hash": "bytea",
}
CHANGED_RUN = {
    "id": "bigint",
    "state": "text",
    "step": "text",
    "visits": "jsonb",
    "status_reason": "text",
    "status_context": "jsonb",
    "terminal_reason": "text",
    "seq": "int",
    "revision": "int",
    "chain_head": "bytea",
    "pending_signals": "int",
    "step_entered_at": "timestamptz",
    "due_at": "timestamptz",
    "suspended_until": "timestamptz",
    "deadline_at": "timestamptz",
    "updated_at": "timestamptz",
    "finished_at": "timestamptz",
}
OPENED_WAIT = {
    "run_id": "bigint",
    "step": "text",
    "visit": "int",
    "signals": "jsonb",
    "look_back_from": "timestamptz",
    "opened_at": "timestamptz",
    "due_at": "timestamptz",
    "on_timeout": "jsonb",
    "routes": "jsonb",
    "actors": "jsonb",
    "remind_at": "timestamptz",
    "outcome": "text",
    "closed_at": "timestamptz",
}
CLOSED_WAIT = {"id": "bigint", "outcome": "text", "closed_at": "timestamptz"}
VERDICT = {
    "signal_id": "bigint",
    "run_id": "bigint",
    "wait_step": "text",
    "name": "text",
    "received_at": "timestamptz",
    "verdict": "text",
    "reason": "text",
    "context": "jsonb",
    "decided_at": "timestamptz",
}
STEP_RUN = {
    "run_id": "bigint",
    "step": "text",
    "visit": "int",
    "resend": "int",
    "kind": "text",
    "key": "text",
    "status": "text",
    "outcome": "text",
    "attempts_made": "int",
    "lost_attempts": "int",
    "fence": "int",
    "due_at": "timestamptz",
    "at_most_once": "boolean",
    "created_at": "timestamptz",
}
LISTENER = {"run_id": "bigint", "name": "text", "key": "text", "rest": "jsonb", "live": "boolean"}


dumps = canonical  # JSON for a jsonb column


def changed_run(run: LockedRun, now: datetime) -> tuple[Any, ...]:
    """A row of `CHANGED_RUN`."""
    facts = run.facts
    return (
        run.id,
        str(facts.state),
        facts.step,
        dumps(facts.visits),
        str(facts.status_reason),
        dumps(facts.status_context),
        facts.terminal_reason,
        run.seq,
        run.seq,
        run.chain_head,
        facts.pending_signals,
        facts.step_entered_at,
        next_clock(run),
        facts.suspended_until,
        facts.deadline_at,
        now,
        (run.finished_at or now) if facts.is_finished else None,
    )


def next_clock(run: LockedRun) -> datetime | None:
    """When the run next wants attention by itself: its first advance, a wait's timer, the deadline; or never.

    While it is paused, only the end of the pause and the deadline count.
    """
    facts = run.facts
    if facts.is_finished:
        return None
    if facts.state == "pending":
        return facts.begins_at
    clocks = [facts.deadline_at]
    if facts.state == "paused":
        clocks.append(facts.suspended_until)
    elif facts.status_reason == "step_kind_unknown":
        clocks.append(facts.step_entered_at)  # at once: by whoever knows the kind; the others put it off
    elif facts.wait is not None:
        clocks += [facts.wait.due_at, facts.wait.remind_at]
    return min((clock for clock in clocks if clock is not None), default=None)


def opened_wait(run_id: int, wait: WaitFacts, outcome: str, now: datetime) -> tuple[Any, ...]:
    """A row of `OPENED_WAIT`; with an outcome when it was closed in the transaction that opened it."""
    return (
        run_id,
        wait.step,
        wait.visit,
        dumps([rule_as_declared(rule) for rule in wait.rules]),
        wait.look_back_from,
        wait.opened_at,
        wait.due_at,
        dumps(wait.on_timeout.as_declared()),
        dumps({word: target.as_declared() for word, target in wait.routes.items()}),
        dumps(wait.actors),
        wait.remind_at,
        outcome,
        now if outcome else None,
    )


def rule_as_declared(rule: BoundRule) -> Mapping[str, Any]:
    """A bound rule as the wait's row keeps it."""
    declared: dict[str, Any] = {"name": rule.name, "then": rule.then.as_declared()}
    if rule.match is not None:
        declared["match"] = dict(rule.match)
    if rule.when is not None:
        declared["when"] = rule.when
    return declared


def verdict(run_id: int, signal: SignalFacts, judged: Judged, now: datetime) -> tuple[Any, ...]:
    """A row of `VERDICT`."""
    context = dumps(dict(judged.context))
    said = judged.verdict, judged.reason, context
    return (signal.id, run_id, judged.wait_step, signal.name, signal.received_at, *said, now)


def status_after(word: str) -> StepRunStatus:
    """The status of a step run that ended with this outcome."""
    if word == UNKNOWN:
        return StepRunStatus.UNKNOWN
    return StepRunStatus.SUCCEEDED if word in SUCCESSES else StepRunStatus.FAILED
