"""Attempts of workers that are not ours: they know theirs by the effect key, the fence and the name they gave."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chimeway_py.errors import Conflict, Invalid, fault
from chimeway_py.text import is_storable
from tenants.scope import tenant_scope
from workflows.errors import StaleAttempt
from workflows.models import Attempt, Run, StepRun
from workflows.models.step_run import StepRunStatus
from workflows.services.attempts import AttemptRefused, begin_attempt, complete_attempt, fail_attempt
from workflows.services.documents import documents, step_of
from workflows.services.unknown import end_words, find_step_run
from workflows.services.work import Finish, renew_lease
from workflows.steps.base import Claim, WorkKind
from workflows.steps.registry import step_kind

LONGEST_WORKER = 80
LONGEST_LEASE = 86_400  # seconds
_PREFIX = "by hand: "  # so that nobody ends what one of our own workers is at
_MOST_SECONDS = 30 * 86_400


class AttemptNotBegun(Conflict):
    """This worker has begun no attempt at this step run under this fence."""

    code = "attempt_not_begun"


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that is under way, and until when it is the worker's unless it is renewed."""

    key: str
    step: str
    visit: int
    number: int
    fence: int
    worker: str
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a worker knows its attempt by."""

    key: str
    fence: int
    worker: str


def begin_by_hand(
    *, tenant_id: int, key: str, worker: str, early: bool = False, lease_seconds: int | None = None
) -> Held:
    """Claim a step run that is due for a worker of somebody else's; with `early` also one whose next try is to come.

    It is the worker's for `lease_seconds`, else as long as a worker of ours would have it. Raises as `begin_attempt`,
    and `Invalid`.
    """
    _check_lease(lease_seconds)
    if not worker.strip() or not is_storable(worker, LONGEST_WORKER):
        message = f"Text of 1 to {LONGEST_WORKER} characters: who does it."
        raise Invalid("The attempt is not valid.", [fault("/worker", "bad_text", message)])
    with tenant_scope(tenant_id):
        _check_acts(tenant_id, key)
        claim = begin_attempt(tenant_id=tenant_id, key=key, worker=f"{_PREFIX}{worker}", early=early)
        renew_lease(claim=claim, seconds=lease_seconds)
        return _held(tenant_id, Token(key, claim.fence, worker), claim)


def renew_by_hand(*, tenant_id: int, token: Token, lease_seconds: int | None = None) -> Held:
    """Keep an attempt for so long from now on. Raises `StaleAttempt` when it was lost, `AttemptNotBegun`, `Invalid`."""
    _check_lease(lease_seconds)
    with tenant_scope(tenant_id):
        claim = _claim_of(tenant_id, token)
        if not renew_lease(claim=claim, seconds=lease_seconds):
            met = find_step_run(tenant_id, token.key)
            detail = {"status": met.status, "fence": met.fence, "outcome": met.outcome, "own_fence": token.fence}
            raise StaleAttempt(f"Attempt {claim.attempt_number} lost its claim.", detail)
        return _held(tenant_id, token, claim)


def complete_by_hand(*, tenant_id: int, token: Token, outcome: str, answer: Mapping[str, Any] | None = None) -> Finish:
    """End an attempt with a word of the step's kind; the run goes on. `answer` is kept where the step keeps one.

    Raises `Invalid`, `AttemptNotBegun`, and `StaleAttempt` when the claim was lost.
    """
    with tenant_scope(tenant_id):
        claim = _claim_of(tenant_id, token)
        _check_end(claim, outcome, answer)
    return complete_attempt(claim=claim, outcome=outcome, answer=answer)


def fail_by_hand(
    *,
    tenant_id: int,
    token: Token,
    error: str,
    retryable: bool = True,
    retry_after: float | None = None,
    maybe_done: bool = False,
) -> Finish:
    """End an attempt that failed; otherwise as `fail_attempt`. Raises `Invalid`, `AttemptNotBegun`, `StaleAttempt`."""
    if retry_after is not None and not 0 <= retry_after <= _MOST_SECONDS:
        message = f"Seconds, from 0 to {_MOST_SECONDS}."
        raise Invalid("The attempt is not valid.", [fault("/retry_after", "bad_number", message)])
    with tenant_scope(tenant_id):
        claim = _claim_of(tenant_id, token)
    said = {"retryable": retryable, "retry_after": retry_after, "maybe_done": maybe_done}
    return fail_attempt(claim=claim, error=error, **said)  # type: ignore[arg-type]


def _check_lease(seconds: int | None) -> None:
    if seconds is not None and not 1 <= seconds <= LONGEST_LEASE:
        message = f"A whole number from 1 to {LONGEST_LEASE}."
        raise Invalid("The attempt is not valid.", [fault("/lease_seconds", "bad_number", message)])


def _check_acts(tenant_id: int, key: str) -> None:
    """A step that only waits for its time would take the end of a lease for it."""
    kind = step_kind(find_step_run(tenant_id, key).kind)
    if not (isinstance(kind, WorkKind) and kind.acts):
        raise AttemptRefused("Nothing is done at this step: say what was observed of the work.")


def _claim_of(tenant_id: int, token: Token) -> Claim:
    """The claim that the worker was given. An attempt that was only recorded has a fence of before."""
    found = find_step_run(tenant_id, token.key)
    mine = Attempt.objects.filter(tenant_id=tenant_id, step_run_id=found.pk, fence=token.fence)
    begun = mine.filter(worker=f"{_PREFIX}{token.worker}").order_by("number").first()
    if begun is None:
        raise AttemptNotBegun
    run = Run.objects.for_tenant(tenant_id).get(id=found.run_id)
    loaded = documents(tenant_id, [run.definition_id])[run.definition_id]
    config = step_of(tenant_id, loaded, found.step).work(found.undo).config
    place = str(run.public_id), begun.number, token.fence, found.key
    return Claim(tenant_id, found.pk, found.run_id, *place, config, found.visit, found.resend > 0, found.undo)


def _held(tenant_id: int, token: Token, claim: Claim) -> Held:
    now = StepRun.objects.for_tenant(tenant_id).get(id=claim.step_run_id)
    assert now.due_at is not None
    assert now.status == StepRunStatus.RUNNING
    return Held(token.key, now.step, now.visit, claim.attempt_number, token.fence, token.worker, now.due_at)


def _check_end(claim: Claim, outcome: str, answer: Mapping[str, Any] | None) -> None:
    kind = step_kind(claim.step["kind"])
    assert isinstance(kind, WorkKind)
    words = end_words(kind)
    faults = []
    if outcome not in words:
        faults.append(fault("/outcome", "unknown_outcome", f"One of {', '.join(words)}."))
    if answer is not None and "answer" not in claim.step:
        faults.append(fault("/answer", "conflict", "The step keeps no answer."))
    if faults:
        raise Invalid("The attempt is not valid.", faults)
