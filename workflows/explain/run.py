"""Explaining a run: where it stands, why, what it waits for, what comes next."""

import uuid
from dataclasses import replace
from datetime import datetime

from tenants.scope import tenant_scope
from workflows.explain.afterwards import afterwards_of, with_them
from workflows.explain.explanation import Explanation, InDigest, LastAttempt
from workflows.explain.following import actions, follows, waiting_for
from workflows.explain.outcomes import had_no_effect, last_outcome, told_by
from workflows.explain.picture import Picture, take_picture
from workflows.explain.sentences import last_move, sentence, since
from workflows.explain.undoing import compensations
from workflows.trace import is_note

MOST_NOTES = 10  # signals rejected, tries repeated: the latest of them are evidence enough


def explain_run(*, tenant_id: int, public_id: uuid.UUID) -> Explanation:
    """Where the run stands at this moment and why, in three queries at most. Raises `RunNotFound`.

    A run that has ended, or of which something was sent again, costs one more of each app that did work for it.
    """
    with tenant_scope(tenant_id) as scope:
        picture = take_picture(tenant_id, public_id, scope.now)
        besides = afterwards_of(tenant_id, picture)
    said = explanation_of(picture)
    return replace(said, sentence=with_them(said.sentence, besides), afterwards=besides) if besides else said


def explanation_of(picture: Picture) -> Explanation:
    """The explanation that a picture gives: pure."""
    run = picture.run
    return Explanation(
        run=run.public_id,
        definition=picture.version.key,
        version=picture.version.version,
        moved_from=_moved_from(picture),
        subject=run.subject,
        state=run.state,
        reason=run.status_reason,
        sentence=sentence(picture),
        since=_since(picture),
        step=run.step,
        waiting_for=waiting_for(picture),
        digest=_digest(picture),
        pending_signals=run.pending_signals,
        suspended_until=run.suspended_until,
        deadline_at=run.deadline_at,
        next=follows(picture),
        actions=actions(picture),
        last_attempt=_last_attempt(picture),
        last_outcome=last_outcome(picture),
        terminal_reason=run.terminal_reason,
        compensations=compensations(picture),
        evidence=_evidence(picture),
        engine_failures=run.engine_failures,
        as_of=picture.now,
    )


def _digest(picture: Picture) -> InDigest | None:
    seen = picture.digest
    if seen is None:
        return None
    leads = seen.leader == picture.run.public_id
    return InDigest(seen.public_id, seen.position, seen.count, seen.closes_at, leads, seen.leader)


def _moved_from(picture: Picture) -> int | None:
    line = last_move(picture)
    return line.context["version_from"] if line else None


def _since(picture: Picture) -> datetime:
    line = since(picture)
    return line.occurred_at if line else picture.run.finished_at or picture.run.step_entered_at


def _last_attempt(picture: Picture) -> LastAttempt | None:
    last = picture.last
    if last is None:
        return None
    running = last.status == "running"
    silent = running and last.lease_until is not None and last.lease_until <= picture.now
    return LastAttempt(
        step=last.step,
        visit=last.visit,
        number=last.number,
        outcome=last.outcome,
        error=last.error,
        started_at=last.started_at,
        finished_at=last.finished_at,
        in_flight_since=last.started_at if running else None,
        lease_until=last.lease_until,
        worker_lost=silent or last.status == "lost",
        retry_at=last.retry_at,
    )


def _evidence(picture: Picture) -> tuple[int, ...]:
    """The lines that prove it: what the run did at its present step, and the line that brought it there."""
    here = (picture.run.step, picture.visit)
    own = [line for line in picture.trace if (line.step, line.visit) == here]
    notes = [line.seq for line in own if is_note(line)][-MOST_NOTES:]
    moves = [line.seq for line in own if not is_note(line)]
    first = min([*moves, *notes], default=0)
    led_here = [line.seq for line in picture.trace if line.seq == first - 1]
    told = told_by(picture) if had_no_effect(picture) else None
    moved = last_move(picture)
    besides = [line.seq for line in (told, moved) if line is not None]
    return tuple(sorted({*led_here, *moves, *notes, *besides}))
