"""One clause for every reason: what a line of the trace says, in plain English."""

from collections.abc import Callable, Mapping
from typing import Any

from workflows.explain.wording import decider, listed, outcome, quoted
from workflows.states import Cause, Reason

WHO = {
    Cause.API: "an API call",
    Cause.OPERATOR: "an operator",
    Cause.SIGNAL: "a signal",
    Cause.TRIGGER: "its trigger",
    Cause.STEP: "a step",
    Cause.TIMER: "a timer",
    Cause.SWEEP: "a sweep",
}

Context = Mapping[str, Any]
Clause = Callable[[str, Context], str]


def who(cause: str, ref: str) -> str:
    """Who or what made something happen, by name where there is one."""
    actor = WHO.get(Cause(cause), cause) if cause in Cause.values else "somebody"
    return f"{actor} ({ref})" if ref and cause in {Cause.API, Cause.OPERATOR} else actor


def because(reason: str, step: str, context: Context) -> str:
    """A clause that fits after "because" or "when". `step` is where the run stood, `context` that of the transition."""
    clause = CLAUSES.get(Reason(reason)) if reason in Reason.values else None
    return clause(step, context) if clause else f"of {reason or 'nothing that was noted'}"


def _signal(context: Context) -> str:
    return str(context.get("signal") or "a signal")


def _origin(context: Context) -> str:
    if "replayed_from" in context:
        return f" as a replay of {context['replayed_from']}{_why(context)}"
    if "broadcast" in context:
        return f" by the broadcast {context['broadcast']}"
    return f" by the schedule {quoted(context['schedule'])}" if "schedule" in context else ""


def _branch(step: str, context: Context) -> str:
    taken = context.get("when")
    if isinstance(taken, int):
        return f"condition {taken + 1} of {quoted(step)} held"
    return f"no condition of {quoted(step)} held"


def _why(context: Context) -> str:
    return f" ({context['why']})" if context.get("why") else ""


def _versions(step: str, context: Context) -> str:
    if "version_to" not in context:
        return "it was moved to another version"
    return f"it was moved from version {context.get('version_from')} to {context['version_to']}{_why(context)}"


def _held(context: Context) -> str:
    by = f" by {decider(str(context['decided_by']))}: {context.get('rule')}" if "decided_by" in context else ""
    return f" until {str(context['until'])[:16].replace('T', ' ')} UTC{by}" if "until" in context else by


def changed(context: Context) -> str:
    """What was changed, so that work that is held is judged anew."""
    return f"{str(context.get('changed') or 'a rule').replace('_', ' ')} changed"


def _outcome(context: Context) -> str:
    return outcome(str(context.get("outcome") or "unknown"), context.get("error")) + _used_up(context)


def _used_up(context: Context) -> str:
    """Of a throttle: what it allows, which runs used that up, and until when; or that it had no key to count by."""
    if context.get("missing") == "by" and context.get("outcome") == "limited":
        return ": its `by` led nowhere, and with `missing_key: closed` nobody passes without a key"
    if "free_at" not in context:
        return ""
    runs = [str(run) for run in context.get("passed", ())]
    by = f" by {'the run' if len(runs) == 1 else 'the runs'} {listed(runs)}" if runs else ""
    return f": {context.get('rule')}, used up{by} until {str(context['free_at'])[:16].replace('T', ' ')} UTC"


def _work(step: str, context: Context) -> str:
    """The work of a step, or what undoes it."""
    undone = context.get("compensates")
    return f"the compensation of {quoted(str(undone))}" if undone else quoted(step)


def _compensation_owed(step: str, context: Context) -> str:
    steps = [quoted(str(one)) for one in context.get("steps", ())]
    if "outcome" in context:  # known only after the end
        return f"{listed(steps)} turned out as {_outcome(context)} after all, and is to be undone"
    if len(steps) > 1:
        return f"{listed(steps)} are to be undone, the last first{_why(context)}"
    return f"{listed(steps) if steps else 'what it did'} is to be undone{_why(context)}"


CLAUSES: Mapping[Reason, Clause] = {
    Reason.CREATED: lambda step, context: f"it was created{_origin(context)}",
    Reason.STARTED: lambda step, context: "it has begun",
    Reason.SCHEDULED: lambda step, context: "it is scheduled",
    Reason.STEP_OWED: lambda step, context: f"the work of {quoted(step)} is owed",
    Reason.STEP_SETTLED: lambda step, context: f"{quoted(step)} ended with {_outcome(context)}",
    Reason.RETRY_SCHEDULED: lambda step, context: f"{_work(step, context)} is tried again after {_outcome(context)}",
    Reason.WORK_HELD: lambda step, context: f"{quoted(step)} is held back{_held(context)}",
    Reason.WORK_RELEASED: lambda step, context: (
        f"{quoted(step)} is judged anew before its time, because {changed(context)}; it was held back{_held(context)}"
    ),
    Reason.DIGEST_JOINED: lambda step, context: (
        f"what it brought to {quoted(step)} is item {context.get('position', 1)} of a digest that still collects"
    ),
    Reason.DIGESTED: lambda step, context: (
        f"the run {context.get('leader') or 'that leads'} took its item along in the digest of {quoted(step)}"
    ),
    Reason.OUTCOME_NOTED: lambda step, context: (
        f"{quoted(str(context.get('of') or step))} turned out later as {_outcome(context)}"
    ),
    Reason.BRANCH_TAKEN: _branch,
    Reason.WAIT_OPENED: lambda step, context: f"it came to the wait {quoted(step)}",
    Reason.SIGNAL_MATCHED: lambda step, context: f"the signal {_signal(context)} came",
    Reason.EARLY_SIGNAL_USED: lambda step, context: f"the early signal {_signal(context)} was used",
    Reason.SIGNAL_BUFFERED: lambda step, context: f"{_signal(context)} came early and was kept",
    Reason.SIGNAL_REJECTED: lambda step, context: f"{_signal(context)} came and its condition was not met",
    Reason.WAIT_TIMED_OUT: lambda step, context: f"the time of the wait {quoted(step)} was up",
    Reason.WOKEN: lambda step, context: f"somebody ended the wait {quoted(step)} by hand",
    Reason.APPROVAL_ASKED: lambda step, context: f"it came to the approval {quoted(step)}",
    Reason.REMINDED: lambda step, context: f"nobody had decided {quoted(step)} yet, and a reminder was due",
    Reason.APPROVED: lambda step, context: f"{context.get('actor') or 'somebody'} approved {quoted(step)}",
    Reason.REJECTED: lambda step, context: f"{context.get('actor') or 'somebody'} rejected {quoted(step)}",
    Reason.LAST_STEP_DONE: lambda step, context: f"{quoted(step)} was the last step",
    Reason.RULE_COMPLETED: lambda step, context: f"a rule of {quoted(step)} completed it",
    Reason.RULE_STOPPED: lambda step, context: (
        f"a rule of {quoted(step)} stopped it ({context.get('terminal_reason') or 'no reason given'})"
    ),
    Reason.PAUSED: lambda step, context: f"somebody paused it{_why(context)}",
    Reason.DEFINITION_OFF: lambda step, context: f"its definition was switched off{_why(context)}",
    Reason.OUTCOME_HELD: lambda step, context: "the outcome of its work is kept until it goes on",
    Reason.RESUMED: lambda step, context: f"it was resumed{_why(context)}",
    Reason.CANCELLED: lambda step, context: (
        f"somebody cancelled it ({context.get('terminal_reason') or 'no reason given'})"
    ),
    Reason.TIMES_CHANGED: lambda step, context: f"somebody changed its times{_why(context)}",
    Reason.VERSION_CHANGED: _versions,
    Reason.CANCELLED_BEFORE_START: lambda step, context: (
        f"a cancel had been asked for before it started ({context.get('terminal_reason') or 'no reason given'})"
    ),
    Reason.DEADLINE_PASSED: lambda step, context: f"its deadline passed while it stood at {quoted(step)}",
    Reason.STEP_QUARANTINED: lambda step, context: (
        f"one worker after another was lost at {quoted(step)}, so nobody tries it any more"
    ),
    Reason.UNKNOWN_OUTCOME: lambda step, context: (
        f"nobody can tell whether {quoted(step)} took effect, and it must not happen twice"
    ),
    Reason.ATTEMPT_LOST: lambda step, context: f"the worker that tried {_work(step, context)} was lost",
    Reason.STALE_ATTEMPT: lambda step, context: (
        f"a worker came back too late with {_work(step, context)}, and what it said was dropped"
    ),
    Reason.STEP_KIND_UNKNOWN: lambda step, context: f"no running code knows the kind of {quoted(step)}",
    Reason.ENGINE_ERROR: lambda step, context: f"the engine failed at {quoted(step)}",
    Reason.COMPENSATION_OWED: _compensation_owed,
    Reason.COMPENSATED: lambda step, context: f"{_work(step, context)} ended with {_outcome(context)}",
    Reason.COMPENSATION_FAILED: lambda step, context: f"{_work(step, context)} failed with {_outcome(context)}",
    Reason.COMPENSATION_UNKNOWN: lambda step, context: (
        f"nobody can tell whether {_work(step, context)} took effect, and it must not happen twice"
    ),
    Reason.COMPENSATION_NEEDLESS: lambda step, context: (
        f"{quoted(str(context.get('compensates') or step))} turned out as {_outcome(context)}, with nothing to undo"
    ),
    Reason.NOTE_ADDED: lambda step, context: f"somebody noted: {context.get('note') or 'nothing'}",
}
