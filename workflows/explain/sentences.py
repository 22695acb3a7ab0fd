"""The sentence of an explanation: one for every state and every reason."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from workflows.definitions.document import Target
from workflows.engine.pausing import SWITCH
from workflows.explain.because import because, changed, who
from workflows.explain.following import most_attempts
from workflows.explain.outcomes import told_by, without_effect
from workflows.explain.picture import Picture, SeenDigest, SeenLine
from workflows.explain.undoing import undoing
from workflows.explain.wording import counted, decider, goes, instant, listed, matched, outcome, quoted
from workflows.states import Reason, RunState
from workflows.steps.base import UNKNOWN

_PATIENCE = timedelta(seconds=15)  # what is later than a sweep is overdue

ENDED = {
    RunState.COMPLETED: "Completed",
    RunState.STOPPED: "Stopped",
    RunState.CANCELLED: "Cancelled",
    RunState.FAILED: "Failed",
    RunState.EXPIRED: "Expired",
}
_OF_TRIES = {Reason.WORK_HELD, Reason.WORK_RELEASED, Reason.RETRY_SCHEDULED, Reason.STEP_OWED}
RULES = {Reason.RULE_COMPLETED, Reason.RULE_STOPPED}


def sentence(picture: Picture) -> str:
    """Where the run stands and why, for a person who knows the journey but not this service."""
    state = RunState(picture.run.state)
    said = _ended(picture, ENDED[state]) if state in ENDED else _LIVE[state](picture)
    return " ".join([said, *_remarks(picture)])


def since(picture: Picture) -> SeenLine | None:
    """The line of the trace that brought the run into its present status."""
    status = [line for line in _visit(picture) if line.reason == picture.run.status_reason]
    return status[-1] if status else None


def _visit(picture: Picture) -> list[SeenLine]:
    return [line for line in picture.trace if (line.step, line.visit) == (picture.run.step, picture.visit)]


def _pending(picture: Picture) -> str:
    run = picture.run
    begins = f"begins with {quoted(picture.version.document.steps[0].key)}"
    if run.due_at is not None and run.due_at > picture.now:
        return f"Scheduled: it {begins} at {instant(run.due_at, picture.now)}."
    return f"Created at {instant(run.created_at, picture.now)}; the engine takes it up next and it {begins}."


def _active(picture: Picture) -> str:
    here = f"At {quoted(picture.run.step)} since {instant(picture.run.step_entered_at, picture.now)}"
    if picture.run.status_reason == Reason.STEP_KIND_UNKNOWN:
        kind = picture.run.status_context.get("kind")
        return f"{here}: no running code knows the kind {quoted(str(kind))}; it goes on once a worker does."
    if picture.work is None:
        return f"{here}."
    told = _OF_WORK.get(picture.work.status, _owed)
    return f"{here}: {told(picture)}."


def _in_flight(picture: Picture) -> str:
    work, last = picture.work, picture.last
    assert work is not None
    began = f" began at {instant(last.started_at, picture.now)}" if last else ""
    if work.due_at is not None and work.due_at <= picture.now:
        silent = f"attempt {work.attempts_made}{began} and its worker has fallen silent; it may have taken effect"
        if _only_once(picture):
            return f"{silent}, and it must not happen twice, so it ends as unknown"
        return f"{silent}, and another worker takes over under the same key"
    return f"attempt {work.attempts_made}{began} and is in flight"


def _owed(picture: Picture) -> str:
    work, last = picture.work, picture.last
    assert work is not None
    step = picture.version.document.by_key.get(picture.run.step)
    if step is not None and step.kind == "external":
        ends = f"; at {instant(work.due_at, picture.now)} its time is up" if work.due_at else "; no time limit is set"
        return f"it goes on when the external {step.config['of']} is observed to end{ends}"
    if picture.digest is not None:
        return _collects(picture, picture.digest)
    if held := _held_by(picture):
        return held
    if not work.attempts_made or last is None:
        return "its work is owed, and no worker has taken it up yet"
    ended = f"attempt {last.number} ended with {outcome(last.outcome, last.error)}"
    at = f" at {instant(work.due_at, picture.now)}" if work.due_at else ""
    most = f" of {most_attempts(step)}" if step else ""
    comes = f"attempt {work.attempts_made + 1}{most} comes{at}"
    if work.maybe_done or work.lost_attempts or last.outcome == UNKNOWN:
        again = "under the same key, because the step is not at_most_once"
        return f"{ended} and may have taken effect; {comes} {again}"
    return f"{ended}; {comes}"


def _only_once(picture: Picture) -> bool:
    """Whether the step must not happen twice."""
    step = picture.version.document.by_key.get(picture.run.step)
    return step is not None and bool(step.config.get("at_most_once"))


def _collects(picture: Picture, digest: SeenDigest) -> str:
    """Which item of how many it brought, who goes on with them all, and when."""
    others = f", with {counted(digest.count - 1, 'other')}" if digest.count > 1 else ""
    item = f"what it brought is item {digest.position} of the digest {digest.public_id}{others}"
    if digest.is_closed:
        return f"{item}, which is closed; the run {digest.leader} went on with it, and this one ends next"
    leads = "it" if digest.leader == picture.run.public_id else f"the run {digest.leader}"
    return f"{item}; at {instant(digest.closes_at, picture.now)} {leads} goes on with them all"


def _held_by(picture: Picture) -> str:
    """By whom and until when the work is held back; empty when it is not."""
    work, lines = picture.work, [line for line in _visit(picture) if line.reason in _OF_TRIES]
    if work is None or work.due_at is None or not lines:
        return ""
    last = lines[-1]
    if last.reason == Reason.WORK_RELEASED:
        until = str(last.context.get("until"))[:16].replace("T", " ")
        by = f"{decider(str(last.context.get('decided_by') or 'a rule'))}: {last.context.get('rule')}"
        return f"it was held back until {until} UTC by {by}; {changed(last.context)}, so it is judged anew now"
    if work.due_at <= picture.now or last.reason != Reason.WORK_HELD:
        return ""
    by, rule = str(last.context.get("decided_by") or "a rule"), last.context.get("rule")
    runs = [str(run) for run in last.context.get("passed", ())]  # of a throttle
    used = f", used up by {'the run' if len(runs) == 1 else 'the runs'} {listed(runs)}" if runs else ""
    return f"held back until {instant(work.due_at, picture.now)} by {decider(by)}: {rule}{used}"


def _unknown(picture: Picture) -> str:
    work, last = picture.work, picture.last
    assert work is not None
    error = f" ({last.error})" if last and last.error else ""
    tried = f"attempt {work.attempts_made}{error} may or may not have taken effect"
    return f"{tried}, and it must not happen twice; nothing happens until somebody settles it"


_OF_WORK: Mapping[str, Callable[[Picture], str]] = {"running": _in_flight, "unknown": _unknown}


def _waiting(picture: Picture) -> str:
    run, wait = picture.run, picture.wait
    if wait is None:
        return f"Waiting at {quoted(run.step)}, and the wait itself is missing."
    names = [f"{rule['name']}{matched(rule.get('match'))}" for rule in wait.signals]
    if wait.routes:
        names.insert(0, f"the approval of {listed(wait.actors, 'or')}" if wait.actors else "anybody's approval")
    what = f" for {listed(names, 'or')}" if names else ""
    here = f"Waiting at {quoted(run.step)} since {instant(wait.opened_at, picture.now)}{what}"
    if wait.due_at is None:
        return f"{here}; no time limit is set."
    will = goes(picture, Target.parse(wait.on_timeout))
    if wait.due_at <= picture.now - _PATIENCE:
        late = f"its time was up at {instant(wait.due_at, picture.now)} and the engine is late"
        return f"{here}; {late}: it {will} as soon as it is taken up."
    return f"{here}; at {instant(wait.due_at, picture.now)} it {will}."


def _paused(picture: Picture) -> str:
    if SWITCH in picture.run.status_context:
        at = f" at {quoted(picture.run.step)}" if picture.run.step else ""
        again = "" if picture.is_held else "; it was switched on again, and the run goes on next"
        held = f"Held{at} because its definition was switched off{again}."
        return " ".join([held, *_kept(picture)])
    run, until = picture.run, picture.run.suspended_until
    begun = [line for line in _visit(picture) if line.reason == Reason.PAUSED]
    by = f" by {who(begun[-1].cause, begun[-1].cause_ref)}" if begun else ""
    why = f" ({run.status_context['why']})" if run.status_context.get("why") else ""
    ends = f"until {instant(until, picture.now)}" if until else "until somebody resumes it"
    return " ".join([f"Paused at {quoted(run.step)}{by}{why}: nothing happens {ends}.", *_kept(picture)])


def _kept(picture: Picture) -> list[str]:
    """What goes on in spite of a pause, and what is kept for its end."""
    told, work, wait = picture.run.status_context.get("outcomes", ()), picture.work, picture.wait
    remarks = [f"{quoted(one['step'])} ended meanwhile with {one.get('outcome') or one['failed']}." for one in told]
    if work is not None and work.status == "running":
        remarks.append(f"Attempt {work.attempts_made} of {quoted(picture.run.step)} is in flight.")
    if wait is not None and wait.due_at is not None:
        remarks.append(f"Its wait keeps its time, {instant(wait.due_at, picture.now)}.")
    return remarks


def _ended(picture: Picture, word: str) -> str:
    run, line = picture.run, since(picture)
    at = f" at {instant(run.finished_at, picture.now)}" if run.finished_at else ""
    if run.status_reason == Reason.CANCELLED and line is not None:
        return f"{word}{at} by {who(line.cause, line.cause_ref)}: {run.terminal_reason or 'no reason was given'}."
    why = because(run.status_reason, run.step, run.status_context)
    before = _cause_of_rule(picture, line)
    return f"{word}{at}, because {why}{f' when {before}' if before else ''}."


def _cause_of_rule(picture: Picture, line: SeenLine | None) -> str:
    """What made the rule apply that ended the run: the line before tells."""
    if line is None or line.reason not in RULES:
        return ""
    before = [other for other in _visit(picture) if other.seq == line.seq - 1]
    return because(before[0].reason, before[0].step, before[0].context) if before else ""


def _failed(picture: Picture) -> list[str]:
    """That the latest work came to nothing, unless that is already told as what ended the run."""
    end, told = since(picture), told_by(picture)
    if end is not None and told is not None and end.reason in RULES and told.seq == end.seq - 1:
        return []
    remark = without_effect(picture)
    return [remark] if remark else []


def last_move(picture: Picture) -> SeenLine | None:
    """The line of the trace that brought the run to the version that it is on, if it did not begin there."""
    moves = [line for line in picture.trace if line.reason == Reason.VERSION_CHANGED and "version_to" in line.context]
    return moves[-1] if moves else None


def _moved(picture: Picture) -> list[str]:
    line = last_move(picture)
    if line is None:
        return []
    versions = f"version {line.context['version_from']} to version {line.context['version_to']}"
    when, by = instant(line.occurred_at, picture.now), who(line.cause, line.cause_ref)
    return [f"It was moved from {versions} at {when} by {by}."]


def _switched_off(picture: Picture) -> list[str]:
    """That its definition holds the run, also one to which nothing has happened since: it has not been paused yet."""
    switch = picture.switch
    if switch is None or not picture.is_held:
        return []
    when, by = instant(switch.changed_at, picture.now), who(switch.cause, switch.cause_ref)
    told = f"The definition {quoted(picture.version.key)} was switched off at {when} by {by} ({switch.why})"
    return [f"{told}: the run does not go on and nothing is sent until it is switched on again."]


def _remarks(picture: Picture) -> list[str]:
    run, remarks = picture.run, [*_failed(picture), *_moved(picture), *_switched_off(picture), *undoing(picture)]
    if run.pending_signals:
        kept = counted(run.pending_signals, "early signal is", "early signals are")
        remarks.append(f"{kept} kept for a later wait.")
    if run.engine_failures:
        again = f" and tries again at {instant(run.due_at, picture.now)}" if run.due_at else ""
        told = [line.context["error"] for line in picture.trace if line.reason == Reason.ENGINE_ERROR]
        what = f" ({told[-1]})" if told else ""
        remarks.append(f"The engine failed on this run {counted(run.engine_failures, 'time')}{what}{again}.")
    if run.state in _LIVE and run.deadline_at is not None:
        remarks.append(f"It expires at {instant(run.deadline_at, picture.now)}.")
    return remarks


_LIVE: Mapping[str, Callable[[Picture], str]] = {
    RunState.PENDING: _pending,
    RunState.ACTIVE: _active,
    RunState.WAITING: _waiting,
    RunState.PAUSED: _paused,
}
