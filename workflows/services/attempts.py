"""Attempts one by one, for callers that do the work themselves: begin, complete, fail, look back, and import."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chimeway_py.errors import ChimewayError, Conflict, Invalid, fault
from chimeway_py.text import is_storable
from tenants.scope import tenant_scope
from workflows.models import Attempt, StepRun
from workflows.models.step_run import AttemptStatus, StepRunStatus
from workflows.services.unknown import find_step_run
from workflows.services.work import Finish, claim_work, finish_work
from workflows.steps.base import Claim, Outcome

LONGEST_CODE = 200


class AttemptRefused(Conflict):
    """No attempt may begin now: the work has ended, is held, is not due, or somebody else is at it."""

    code = "attempt_refused"
    retryable = True


class AttemptConflict(Conflict):
    """The attempt contradicts the attempts that are recorded."""

    code = "attempt_conflict"


@dataclass(frozen=True, slots=True)
class PastAttempt:
    """A finished attempt to record. `error` is a code, never a value; the times have an offset."""

    number: int
    outcome: str
    started_at: datetime
    finished_at: datetime
    error: str = ""
    retryable: bool = False
    worker: str = "import"


def begin_attempt(*, tenant_id: int, key: str, worker: str, now: datetime | None = None, early: bool = False) -> Claim:
    """Claim the step run with this effect key under a lease and a fence; the attempt has the next number.

    With `early` also one whose next try is to come, and never one that somebody is at. Raises `StepRunNotFound`, and
    `AttemptRefused` with the state it met.
    """
    with tenant_scope(tenant_id):
        step_run = find_step_run(tenant_id, key)
        if early:
            now = step_run.due_at
        claim = claim_work(tenant_id=tenant_id, worker=worker, now=now, step_run_id=step_run.pk, only_owed=early)
        if claim is None:
            raise _refused(find_step_run(tenant_id, key), early)
        return claim


def _refused(met: StepRun, early: bool) -> AttemptRefused:
    due_at = met.due_at.astimezone(UTC).isoformat().replace("+00:00", "Z") if met.due_at else None
    told = f"The step run is {met.status}."
    if due_at and met.status == StepRunStatus.OWED and not (met.held or early):
        told = f"The step run is {met.status}, and due at {due_at}: with `early` an attempt begins before."
    detail = {"status": met.status, "attempts_made": met.attempts_made, "held": met.held, "due_at": due_at}
    return AttemptRefused(told, detail)


def complete_attempt(
    *, claim: Claim, outcome: str, context: Mapping[str, Any] | None = None, answer: Mapping[str, Any] | None = None
) -> Finish:
    """End an attempt with an outcome of its kind; the run goes on. Raises `StaleAttempt` when the claim was lost.

    `context` is structure for the trace; `answer` is what came back, kept as a payload where the step keeps one.
    """
    return finish_work(claim=claim, outcome=Outcome(outcome, context=context or {}, answer=answer))


def fail_attempt(
    *,
    claim: Claim,
    error: str | BaseException,
    retryable: bool = True,
    retry_after: float | None = None,
    maybe_done: bool = False,
) -> Finish:
    """End an attempt that failed; the step's policy says when the next comes, if one does.

    An exception is kept as its code or the name of its class. `retry_after` is in seconds. `maybe_done`: it may have
    taken effect. Raises `StaleAttempt` when the claim was lost.
    """
    word = "temporary_failure" if retryable else "permanent_failure"
    return finish_work(claim=claim, outcome=Outcome(word, code_of(error), retryable, retry_after, {}, maybe_done))


def code_of(error: str | BaseException) -> str:
    """An error as one printable line of at most 200 characters: a code, a class name, or the text that was given."""
    if isinstance(error, ChimewayError):
        return error.code
    text = error if isinstance(error, str) else type(error).__name__
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()[:LONGEST_CODE]


def attempts_of(*, tenant_id: int, key: str) -> list[Attempt]:
    """Every attempt at a step run, in order of their numbers. Raises `StepRunNotFound`."""
    with tenant_scope(tenant_id):
        mine = find_step_run(tenant_id, key)
        return list(Attempt.objects.filter(tenant_id=tenant_id, step_run_id=mine.pk).order_by("number"))


def latest_attempt(*, tenant_id: int, key: str) -> Attempt | None:
    """The last attempt at a step run, or None before the first. Raises `StepRunNotFound`."""
    with tenant_scope(tenant_id):
        mine = find_step_run(tenant_id, key)
        return Attempt.objects.filter(tenant_id=tenant_id, step_run_id=mine.pk).order_by("-number").first()


def attempt_count(*, tenant_id: int, key: str) -> int:
    """How many attempts have begun. Raises `StepRunNotFound`."""
    with tenant_scope(tenant_id):
        return find_step_run(tenant_id, key).attempts_made


def next_attempt_number(*, tenant_id: int, key: str) -> int:
    """The number that the next attempt will get. Raises `StepRunNotFound`."""
    return attempt_count(tenant_id=tenant_id, key=key) + 1


def record_attempt(*, tenant_id: int, key: str, attempt: PastAttempt) -> Attempt:
    """Record a finished attempt that was made elsewhere, under the next number. It settles nothing.

    Recording the same again returns what is stored. Raises `StepRunNotFound`, `Invalid`, and `AttemptConflict` for a
    gap, for another attempt under a number that is taken, and while a worker holds the work.
    """
    _check(attempt)
    with tenant_scope(tenant_id):
        found = find_step_run(tenant_id, key)
        mine = StepRun.objects.for_tenant(tenant_id).filter(id=found.pk).select_for_update(no_key=True).get()
        stored = Attempt.objects.filter(tenant_id=tenant_id, step_run_id=mine.pk, number=attempt.number).first()
        if stored is not None and _says(stored) == _says(attempt):
            return stored
        if attempt.number != mine.attempts_made + 1 or mine.status == StepRunStatus.RUNNING:
            detail = {"number": attempt.number, "attempts_made": mine.attempts_made, "status": mine.status}
            raise AttemptConflict(f"The next attempt is number {mine.attempts_made + 1}.", detail)
        StepRun.objects.for_tenant(tenant_id).filter(id=mine.pk).update(attempts_made=attempt.number)
        return Attempt.objects.create(tenant_id=tenant_id, step_run_id=mine.pk, fence=mine.fence, **_columns(attempt))


def _says(attempt: Attempt | PastAttempt) -> tuple[Any, ...]:
    said = attempt.outcome, attempt.error, attempt.retryable, attempt.worker
    return (*said, attempt.started_at, attempt.finished_at)


def _columns(attempt: PastAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "worker": attempt.worker,
        "status": AttemptStatus.FINISHED,
        "outcome": attempt.outcome,
        "error": attempt.error,
        "retryable": attempt.retryable,
        "lease_until": attempt.finished_at,
        "started_at": attempt.started_at,
        "finished_at": attempt.finished_at,
    }


def _check(attempt: PastAttempt) -> None:
    faults = []
    for name, longest in (("outcome", 32), ("worker", 100)):
        text = getattr(attempt, name)
        if not text or not is_storable(text, longest):
            faults.append(fault(f"/{name}", "bad_text", f"1 to {longest} characters."))
    if attempt.error != code_of(attempt.error):
        faults.append(fault("/error", "bad_text", f"One printable line of at most {LONGEST_CODE} characters."))
    faults += [
        fault(f"/{name}", "date_time", "An instant needs its offset.")
        for name in ("started_at", "finished_at")
        if getattr(attempt, name).tzinfo is None
    ]
    if not faults and attempt.finished_at < attempt.started_at:
        faults.append(fault("/finished_at", "date_time", "It ended before it began."))
    if faults:
        raise Invalid("The attempt is not valid.", faults)
