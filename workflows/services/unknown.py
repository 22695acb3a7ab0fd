"""Settling by hand what nobody saw the end of: somebody looked it up, and the run goes on."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chimeway_py.errors import Conflict, Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from chimeway_py.text import LONGEST_REASON, is_storable
from tenants.scope import tenant_scope
from workflows.engine.events import StepOwedAgain, StepSettled
from workflows.errors import RevisionMismatch, StepRunNotFound
from workflows.models import StepRun
from workflows.models.step_run import StepRunStatus
from workflows.states import TERMINAL, Cause, Reason, RunState
from workflows.steps.base import UNKNOWN, Outcome, WorkKind
from workflows.steps.registry import step_kind
from workflows.store import undoing
from workflows.store.batch import RunBatch
from workflows.store.rows import status_after

AGAIN = "retry"
"""Said instead of an outcome: it did not take effect, so try it again."""
_NOT_ENDS = frozenset({UNKNOWN, "temporary_failure", "retries_exhausted"})


class NotUnknown(Conflict):
    """Nothing is unknown about this step, or its run has gone on without it."""

    code = "not_unknown"


def settle_unknown(
    *,
    tenant_id: int,
    key: str,
    outcome: str,
    reason: str,
    cause: Cause = Cause.OPERATOR,
    cause_ref: str = "",
    expected_revision: int | None = None,
    error: str = "",
) -> StepRun:
    """Give the step run with this effect key the outcome that somebody found out, and let its run go on.

    `outcome` is a word of the step's kind, or `retry`: it did not take effect and is owed again. `reason` (1 to 64
    characters) and whoever says so (`cause`, `cause_ref`) are kept in the trace, and the code of a failure (`error`) if
    there is one. Raises `StepRunNotFound`, `Invalid`,
    `RevisionMismatch` when the run has moved on since the caller saw it, and `NotUnknown` with the status it met.
    """
    with tenant_scope(tenant_id):
        found = find_step_run(tenant_id, key)
        kind = step_kind(found.kind)
        assert isinstance(kind, WorkKind)
        _check(kind, outcome, reason)
        batch = RunBatch.lock(tenant_id, [found.run_id])
        run = batch.runs[found.run_id]
        RevisionMismatch.check(run.facts.public_id, expected_revision, run.seq)
        mine = StepRun.objects.for_tenant(tenant_id).filter(id=found.pk).select_for_update(no_key=True).get()
        if mine.status != StepRunStatus.UNKNOWN:
            raise NotUnknown(f"The step run is {mine.status}.", {"status": mine.status, "outcome": mine.outcome})
        if outcome == AGAIN:
            _owe_again(batch, mine)
        else:
            _settle(mine, outcome, batch.now)
        word = StepRunStatus.OWED if outcome == AGAIN else outcome
        kind.resolve(tenant_id, mine.pk, word, batch.now, error)
        _tell(batch, mine, outcome, {"why": reason} | ({"error": error} if error else {}), (cause, cause_ref))
        batch.flush()
        return mine


def settling_words(kind: WorkKind) -> list[str]:
    """What may be said of a step of this kind whose outcome is unknown."""
    return [*end_words(kind), AGAIN]


def end_words(kind: WorkKind) -> list[str]:
    """The outcomes that somebody may say of work of this kind."""
    return sorted(kind.outcomes - _NOT_ENDS)


def why_not_again(mine: StepRun, *, state: str, step: str, visits: Mapping[str, int]) -> str:
    """Why `retry` would be refused of a step run of unknown outcome, as a sentence; "" when it would be accepted.

    The rest says where its run stands: nobody sends for a run that has gone on.
    """
    if mine.undo or mine.resend:
        return ""
    if state in TERMINAL:
        return f"The run has ended: it is {state}. Say what became of it; nothing is sent for it any more."
    if (step, visits.get(step)) != (mine.step, mine.visit):
        return f"The run has gone on to {step}."
    return "" if state == RunState.ACTIVE else f"The run is {state}; resume it first."


def find_step_run(tenant_id: int, key: str) -> StepRun:
    """The step run with an effect key (`<run>:<step>:<visit>`), inside the scope. Raises `StepRunNotFound`."""
    found = StepRun.objects.for_tenant(tenant_id).filter(key=key).first()
    if found is None:
        raise StepRunNotFound
    return found


def _check(kind: WorkKind, outcome: str, reason: str) -> None:
    faults = []
    words = settling_words(kind)
    if outcome not in words:
        faults.append(fault("/outcome", "unknown_outcome", f"One of {', '.join(words)}."))
    if not reason.strip() or not is_storable(reason, LONGEST_REASON):
        faults.append(fault("/reason", "bad_reason", f"Say why, in 1 to {LONGEST_REASON} characters."))
    if faults:
        raise Invalid("The outcome is not valid.", faults)


def _settle(mine: StepRun, outcome: str, now: datetime) -> None:
    mine.status, mine.outcome, mine.finished_at = status_after(outcome), outcome, now
    mine.maybe_done, mine.lost_attempts = False, 0  # somebody has looked: what they say counts, not what may have been
    _store(mine, "status", "outcome", "finished_at", "maybe_done", "lost_attempts")


def _owe_again(batch: RunBatch, mine: StepRun) -> None:
    """Only while the run still stands there: nobody sends for a run that has gone on. A compensation waits its turn."""
    if mine.undo and not mine.resend:
        mine.status, mine.due_at, mine.finished_at = StepRunStatus.OWED, None, None
        mine.maybe_done, mine.lost_attempts = False, 0
        _store(mine, "status", "due_at", "finished_at", "maybe_done", "lost_attempts")
        return
    run = batch.runs[mine.run_id].facts
    if why := why_not_again(mine, state=run.state, step=run.step, visits=run.visits):
        raise NotUnknown(why, {"state": str(run.state), "step": run.step})
    mine.status, mine.outcome, mine.due_at, mine.finished_at = StepRunStatus.OWED, "", batch.now, None
    mine.maybe_done, mine.lost_attempts = False, 0  # somebody has looked: what took workers down counts anew
    _store(mine, "status", "outcome", "due_at", "finished_at", "maybe_done", "lost_attempts")
    nudge_after_commit("work", mine.tenant_id)


def _tell(batch: RunBatch, mine: StepRun, outcome: str, told: Mapping[str, str], who: tuple[Cause, str]) -> None:
    if mine.resend:
        return
    context: Mapping[str, Any] = {**told, "was": UNKNOWN}
    batch.go_on_undoing(mine.run_id)  # of an ended run: what it was, or what it undoes, is known now
    if mine.undo and outcome == AGAIN:
        owed = {"count": 1, "steps": [mine.step], **context}
        batch.note(mine.run_id, *who, Reason.COMPENSATION_OWED, owed)
    elif mine.undo:
        place = mine.run_id, mine.step, mine.visit
        undoing.tell(batch, place, Outcome(outcome), who[1], context, who[0])
    elif outcome == AGAIN:
        batch.apply(mine.run_id, StepOwedAgain(mine.step, mine.visit, *who, told["why"]))
    else:
        batch.apply(mine.run_id, StepSettled(mine.step, mine.visit, outcome, who[1], context, who[0]))


def _store(mine: StepRun, *fields: str) -> None:
    StepRun.objects.for_tenant(mine.tenant_id).filter(id=mine.pk).update(
        **{name: getattr(mine, name) for name in fields}
    )
