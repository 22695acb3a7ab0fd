"""Adding lines to a trace from outside the engine: they tell something and leave the run where it is."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chimeway_py.errors import Conflict, Invalid, fault
from chimeway_py.text import is_storable
from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.errors import RevisionMismatch, RunNotFound
from workflows.models import Run
from workflows.states import Cause, Reason
from workflows.store.batch import RunBatch

LONGEST_NOTE = 64  # a word on what happened, as short as the reason of a cancel: no place for payload values
_LAST = "SELECT occurred_at FROM workflows_transition WHERE tenant_id = %s AND run_id = %s AND seq = %s"


class CursorMismatch(Conflict):
    """The trace has gone on since it was read, so nothing was added."""

    code = "cursor_mismatch"
    retryable = True


@dataclass(frozen=True, slots=True)
class Note:
    """A line to add: 1 to 64 characters, and when it happened (None: now)."""

    text: str
    occurred_at: datetime | None = None


def append_transition(
    *,
    tenant_id: int,
    public_id: uuid.UUID,
    note: str,
    cause: Cause,
    cause_ref: str = "",
    expected_seq: int | None = None,
    expected_revision: int | None = None,
    occurred_at: datetime | None = None,
) -> int:
    """Add one note to the trace, in the caller's transaction; its `seq`. As `append_transitions`."""
    notes = [Note(note, occurred_at)]
    return append_transitions(
        tenant_id=tenant_id,
        public_id=public_id,
        notes=notes,
        cause=cause,
        cause_ref=cause_ref,
        expected_seq=expected_seq,
        expected_revision=expected_revision,
    )


def append_transitions(
    *,
    tenant_id: int,
    public_id: uuid.UUID,
    notes: Sequence[Note],
    cause: Cause,
    cause_ref: str = "",
    expected_seq: int | None = None,
    expected_revision: int | None = None,
) -> int:
    """Add notes to the trace, all or none, in the caller's transaction; the `seq` of the last, which is the new cursor.

    With `expected_seq`, only if that is the last line now: of several callers who read the same cursor one wins, and
    the others get `CursorMismatch` with both numbers; `expected_revision` is the same number, said of the run, and gets
    `RevisionMismatch`. Raises `RunNotFound`, `Invalid` (a text or a time that cannot
    be), and `InvalidTransition` for a run that has ended.
    """
    with tenant_scope(tenant_id):
        run_id = Run.objects.for_tenant(tenant_id).filter(public_id=public_id).values_list("id", flat=True).first()
        if run_id is None:
            raise RunNotFound("No such run.")
        batch = RunBatch.lock(tenant_id, [run_id])
        run = batch.runs[run_id]
        RevisionMismatch.check(public_id, expected_revision, run.seq)
        if expected_seq is not None and run.seq != expected_seq:
            message = f"The trace has come to {run.seq}, not {expected_seq}."
            raise CursorMismatch(message, {"expected": expected_seq, "actual": run.seq})
        now = batch.now
        _check(notes, fetch(_LAST, [tenant_id, run_id, run.seq])[0][0], now)
        for note in notes:
            batch.now = note.occurred_at or now  # the time of the line
            batch.note(run_id, cause, cause_ref, Reason.NOTE_ADDED, {"note": note.text})
        batch.now = now
        batch.flush()
        return run.seq


def _check(notes: Sequence[Note], last: datetime, now: datetime) -> None:
    """Times run forward within a trace."""
    faults = []
    for index, note in enumerate(notes):
        if not note.text.strip() or not is_storable(note.text, LONGEST_NOTE):
            faults.append(fault(f"/{index}/note", "bad_note", f"Text of 1 to {LONGEST_NOTE} characters."))
        at = note.occurred_at or now
        if at.tzinfo is None or not last <= at <= now:
            message = "An instant with its offset, not before the line before and not in the future."
            faults.append(fault(f"/{index}/occurred_at", "bad_time", message))
        else:
            last = at
    if faults:
        raise Invalid("The notes are not valid.", faults)
