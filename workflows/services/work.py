"""Work owed to the outside world: claimed under a lease with a fence, done outside any transaction, finished once.

The lease is judged by the database clock. A worker that is slow keeps its claim by renewing it; one that died loses
it, and the next claim takes a higher fence, so that the first can never finish what the second has begun.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.conf import settings

from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.engine.events import StepSettled, StepUnknown
from workflows.errors import StaleAttempt
from workflows.models.step_run import StepRunStatus
from workflows.retry import RetryPolicy
from workflows.services.documents import documents, step_of
from workflows.services.liveness import run_has_ended
from workflows.services.lost_attempts import note_lost_attempts
from workflows.services.switch_holding import SwitchedOff, hold_due_runs, hold_undoing
from workflows.states import Cause, Reason
from workflows.steps.base import HELD, UNKNOWN, Claim, Outcome, WorkKind
from workflows.steps.registry import kinds, step_kind
from workflows.store import undoing
from workflows.store.answers import store_answer
from workflows.store.batch import RunBatch
from workflows.store.lost_attempts import lose_attempt
from workflows.store.rows import status_after
from workflows.store.switches import holds

# `clock_timestamp()` and not `now()`: a lease counted from the start of a transaction may be over before it is written.
_CLAIM = """
WITH due AS (
    SELECT id, status, fence FROM workflows_steprun
     WHERE tenant_id = %s AND due_at <= (SELECT coalesce(%s::timestamptz, clock_timestamp()))
       AND NOT held AND lost_attempts < %s AND NOT (at_most_once AND status = 'running') AND kind = ANY(%s) {one}
     ORDER BY due_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE workflows_steprun s SET status = 'running', fence = s.fence + 1, attempts_made = s.attempts_made + 1,
    lost_attempts = s.lost_attempts + (due.status = 'running')::int,
    due_at = clock_timestamp() + make_interval(secs => %s)
  FROM due WHERE s.tenant_id = %s AND s.id = due.id
RETURNING s.id, s.run_id, s.step, s.visit, s.key, s.attempts_made, s.fence, s.due_at, clock_timestamp(), s.resend,
    s.undo
"""
_ONE = {False: "AND id = %s", True: "AND id = %s AND status = 'owed'"}
_ATTEMPT = """
INSERT INTO workflows_attempt
    (tenant_id, step_run_id, number, fence, worker, status, outcome, error, retryable, lease_until, started_at)
VALUES (%s, %s, %s, %s, %s, 'running', '', '', false, %s, %s)
"""
_RUN = """
SELECT r.public_id, r.definition_id, switched_off(r.tenant_id) -> r.definition_key FROM workflows_run r
 WHERE r.tenant_id = %s AND r.id = %s
"""
_RENEW = """
UPDATE workflows_steprun SET due_at = clock_timestamp() + make_interval(secs => %s)
 WHERE tenant_id = %s AND id = %s AND fence = %s AND status = 'running'
"""
_FINISH = """
UPDATE workflows_steprun SET status = %s, outcome = %s, due_at = %s, finished_at = %s, maybe_done = maybe_done OR %s
 WHERE tenant_id = %s AND id = %s AND fence = %s AND status = 'running'
"""
_FINISH_ATTEMPT = """
UPDATE workflows_attempt
   SET status = 'finished', outcome = %s, error = %s, retryable = %s, finished_at = %s, retry_at = %s
 WHERE tenant_id = %s AND step_run_id = %s AND number = %s AND status = 'running'
"""
_HELD_ATTEMPTS = """
SELECT count(*) FROM workflows_attempt WHERE tenant_id = %s AND step_run_id = %s AND outcome = %s
"""
_MET = "SELECT status, fence, outcome FROM workflows_steprun WHERE tenant_id = %s AND id = %s"
MOST_LOST_ATTEMPTS = 5  # workers that one piece of work may take down before it is quarantined


@dataclass(frozen=True, slots=True)
class Finish:
    """What finishing an attempt decided: the outcome that counts, and when the next attempt comes, if one does."""

    outcome: Outcome
    retry_at: datetime | None


def claim_work(
    *,
    tenant_id: int,
    worker: str,
    now: datetime | None = None,
    step_run_id: int | None = None,
    only_owed: bool = False,
) -> Claim | None:
    """Claim the tenant's oldest due step run (or this one), or None. It lasts `LEASE_SECONDS` unless it is renewed.

    With `only_owed` not one whose worker has fallen silent.

    Work of a run whose definition is switched off is not claimed: the run is held, with whatever else is due.
    """
    while True:
        try:
            return _claim(tenant_id, worker, now, step_run_id, only_owed)
        except SwitchedOff as off:  # the claim was rolled back: a run is locked before its work
            (hold_undoing if off.is_undoing else hold_due_runs)(tenant_id, off.run_id, now)


def _claim(tenant_id: int, worker: str, now: datetime | None, step_run_id: int | None, only_owed: bool) -> Claim | None:
    with tenant_scope(tenant_id):
        known = [name for name, kind in kinds().items() if isinstance(kind, WorkKind)]  # newer code may owe others
        which = [] if step_run_id is None else [step_run_id]
        parameters = [tenant_id, now, MOST_LOST_ATTEMPTS, known, *which, settings.LEASE_SECONDS, tenant_id]
        one = _ONE[only_owed] if which else ""
        rows = fetch(_CLAIM.format(one=one), parameters)
        if not rows:
            return None
        step_run_id, run_id, step, visit, key, number, fence, lease_until, clock, resend, undo = rows[0]
        public_id, definition_id, switch = fetch(_RUN, [tenant_id, run_id])[0]
        if holds(switch) and not resend:
            raise SwitchedOff(run_id, is_undoing=undo > 0)
        lose_attempt(tenant_id, step_run_id, clock)
        execute(_ATTEMPT, [tenant_id, step_run_id, number, fence, worker, lease_until, clock])
        nudge_after_commit("work", tenant_id)  # another worker may take the next one meanwhile
        loaded = documents(tenant_id, [definition_id])[definition_id]
        config = step_of(tenant_id, loaded, step).work(undo).config
        return Claim(
            tenant_id, step_run_id, run_id, str(public_id), number, fence, key, config, visit, resend > 0, undo
        )


def renew_lease(*, claim: Claim, seconds: float | None = None) -> bool:
    """Keep a claim for another `LEASE_SECONDS`, or for so many; False when it was lost."""
    length = seconds or settings.LEASE_SECONDS
    with tenant_scope(claim.tenant_id):
        return execute(_RENEW, [length, claim.tenant_id, claim.step_run_id, claim.fence]) == 1


def perform(claim: Claim) -> Outcome:
    """Do the work, outside any transaction, unless its run has ended since it was claimed.

    An exception is an outcome too: temporary, by the name of its class.
    """
    if run_has_ended(claim):
        return Outcome("suppressed", error="run_ended")
    try:
        return kind_of(claim).perform(claim)
    except Exception as error:
        return Outcome("temporary_failure", error=type(error).__name__, retryable=True, maybe_done=True)


def finish_work(*, claim: Claim, outcome: Outcome) -> Finish:
    """Record an attempt and let the run go on, in one transaction. Raises `StaleAttempt` when the fence has moved on.

    Locks in order: run, step run, attempt, then the kind's own rows.
    """
    assert claim.run_id is not None
    outcome = _as_known(claim, outcome)
    with tenant_scope(claim.tenant_id):
        batch = RunBatch.lock(claim.tenant_id, [claim.run_id])
        is_over = _is_over(batch, claim)
        if is_over and outcome.until is not None:  # it was not tried, and nobody will try it any more
            outcome = Outcome("suppressed", error="run_ended")
        finish = Finish(outcome, None) if is_over else _decide(claim, outcome, batch.now)
        if not _write_finish(claim, outcome, finish, batch.now):
            stale = _stale(batch, claim, outcome)
        else:
            stale = None
            if not claim.is_resend:
                note_lost_attempts(batch, claim.run_id, claim.step_run_id, claim.attempt_number, claim.key, claim.undo)
            kind_of(claim).settle(claim, finish.outcome, finish.retry_at is None, batch.now)
            _tell_run(batch, claim, finish)
            if is_over:
                batch.go_on_undoing(claim.run_id)  # what the run undoes may have waited for this
        batch.flush()
    if stale is not None:
        raise stale
    return finish


def _is_over(batch: RunBatch, claim: Claim) -> bool:
    """Whether the run has ended meanwhile. Resends and compensations are done for ended runs, too."""
    if claim.is_resend or claim.undo or claim.run_id not in batch.runs:
        return False
    return batch.runs[claim.run_id].facts.is_finished


def _as_known(claim: Claim, outcome: Outcome) -> Outcome:
    """A step that must not happen twice is not tried again after a try that may have taken effect."""
    if claim.step.get("at_most_once") and (outcome.maybe_done or outcome.word == UNKNOWN):
        return replace(outcome, word=UNKNOWN, retryable=False)
    return outcome


def _decide(claim: Claim, outcome: Outcome, now: datetime) -> Finish:
    """Retry, or the outcome that the run is told.

    A rule for `temporary_failure` takes the run away from further tries. What may not be done yet was no try.
    """
    if outcome.until is not None:
        return Finish(outcome, outcome.until)
    if not outcome.retryable or "temporary_failure" in claim.step.get("on_outcome", {}):
        return Finish(outcome, None)
    retry_at = RetryPolicy.parse(claim.step.get("retry")).next_at(_tries(claim), now, outcome.retry_after)
    if retry_at is None:
        return Finish(Outcome("retries_exhausted", outcome.error, context=outcome.context), None)
    return Finish(outcome, retry_at)


def _tries(claim: Claim) -> int:
    """How many of the attempts tried anything."""
    held = fetch(_HELD_ATTEMPTS, [claim.tenant_id, claim.step_run_id, HELD])[0][0] if claim.attempt_number > 1 else 0
    return claim.attempt_number - int(held)


def _write_finish(claim: Claim, outcome: Outcome, finish: Finish, now: datetime) -> bool:
    """Write the step run and the attempt while the fence is ours."""
    final = finish.retry_at is None
    ended = undoing.status_after if claim.undo else status_after
    status = ended(finish.outcome.word) if final else StepRunStatus.OWED
    told = str(status), finish.outcome.word, finish.retry_at, now if final else None, outcome.maybe_done
    ours = execute(_FINISH, [*told, claim.tenant_id, claim.step_run_id, claim.fence])
    if not ours:
        return False
    said = outcome.word, outcome.error[:200], outcome.retryable, now, finish.retry_at
    execute(_FINISH_ATTEMPT, [*said, claim.tenant_id, claim.step_run_id, claim.attempt_number])
    return True


def _tell_run(batch: RunBatch, claim: Claim, finish: Finish) -> None:
    """The run learns the final outcome; a try that will be repeated is only noted."""
    if claim.is_resend or claim.run_id not in batch.runs:
        return
    context: dict[str, Any] = {"attempt": claim.attempt_number} | dict(finish.outcome.context)
    if finish.outcome.error:
        context["error"] = finish.outcome.error
    if claim.undo:
        context |= {"compensates": undoing.step_of(claim.key), "visit": claim.visit}
    if finish.retry_at is None and claim.undo:
        place = claim.run_id, undoing.step_of(claim.key), claim.visit
        undoing.tell(batch, place, finish.outcome, claim.key, {"attempt": claim.attempt_number})
    elif finish.retry_at is None:
        tell_outcome(batch, claim.run_id, (claim.step, claim.visit), finish.outcome, claim.key, context)
    else:
        reason = Reason.RETRY_SCHEDULED if finish.outcome.until is None else Reason.WORK_HELD
        if finish.outcome.until is None:
            context |= {"outcome": finish.outcome.word, "retry_at": finish.retry_at.isoformat()}
        batch.note(claim.run_id, Cause.STEP, claim.key, reason, context)


def tell_outcome(
    batch: RunBatch,
    run_id: int,
    place: tuple[Mapping[str, Any], int],
    outcome: Outcome,
    ref: str,
    context: Mapping[str, Any],
) -> None:
    """Tell a run how a visit, given as (step, visit), ended. One that must not happen twice stops at `unknown`."""
    step, visit = place
    if outcome.word == UNKNOWN and step.get("at_most_once") and UNKNOWN not in step.get("on_outcome", {}):
        batch.apply(run_id, StepUnknown(step["key"], visit, ref, context))
        return
    answer = None
    if outcome.answer is not None and "answer" in step:
        answer = store_answer(batch.tenant_id, step["answer"], outcome.answer)
    batch.apply(run_id, StepSettled(step["key"], visit, outcome.word, ref, context, answer=answer))


def _stale(batch: RunBatch, claim: Claim, said: Outcome) -> StaleAttempt:
    """A worker that comes too late changes nothing; the trace keeps that it came."""
    found = fetch(_MET, [claim.tenant_id, claim.step_run_id])
    status, fence, outcome = found[0] if found else ("pruned", None, "")  # its run ended long ago
    met = {
        "status": status,
        "fence": fence,
        "outcome": outcome,
        "attempt": claim.attempt_number,
        "own_fence": claim.fence,
        "said": said.word,
    }
    if claim.run_id in batch.runs and (claim.undo or not batch.runs[claim.run_id].facts.is_finished):
        met |= {"compensates": undoing.step_of(claim.key)} if claim.undo else {}
        batch.note(claim.run_id, Cause.STEP, claim.key, Reason.STALE_ATTEMPT, met)
    return StaleAttempt(f"Attempt {claim.attempt_number} lost its claim; the step run is {status}.", met)


def kind_of(claim: Claim) -> WorkKind:
    """The kind whose work was claimed."""
    kind = step_kind(claim.step["kind"])
    assert isinstance(kind, WorkKind)
    return kind
