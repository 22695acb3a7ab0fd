"""Reading broadcasts back: one of them, its progress in a sentence, and what became of each target."""

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from deliveries.broadcasts.errors import BroadcastNotFound
from deliveries.broadcasts.targets import chunks_of, run_key
from deliveries.models import Broadcast, BroadcastChunk, BroadcastSource, BroadcastStatus
from workflows.models import Run

NOTES: Mapping[str, str] = {
    "backlog": "It waits until less of the tenant's own work is due.",
    "definition_off": "It waits because its definition is switched off.",
    "limit": "It waits because a limit of the tenant is used up.",
    "scheduled": "It begins at its time.",
    "rate": "It keeps to its rate.",
    "broken": "Its last turn broke; it is tried again.",
}
SKIPPED: Mapping[str, str] = {
    "duplicate": "the same subject stands before in this broadcast",
    "erased": "the subject was erased before its turn came",
    "already_started": "a run was started under its key before",
    "invalid": "the start was refused as not valid",
    "start_conflict": "another run was started under its key before",
    "cancelled": "the broadcast was cancelled before its turn came",
    "failed": "the broadcast failed before its turn came",
}


@dataclass(frozen=True, slots=True)
class TargetState:
    """What became of one target: `waiting`, `started` or `skipped`, with the reason and the run."""

    position: int  # from 1
    subject: str
    outcome: str
    reason: str = ""
    run: uuid.UUID | None = None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.outcome == "skipped":
            return f"Skipped: {SKIPPED.get(self.reason, self.reason)}."
        return "Its run was started." if self.outcome == "started" else "Its turn has not come yet."


def broadcast_of(tenant_id: int, public_id: uuid.UUID) -> Broadcast:
    """The broadcast, inside its tenant's scope. Raises `BroadcastNotFound`."""
    found = Broadcast.objects.filter(tenant_id=tenant_id, public_id=public_id).first()
    if found is None:
        raise BroadcastNotFound("No such broadcast.")
    return found


def sentence(broadcast: Broadcast) -> str:
    """Where a broadcast stands, in a sentence or two."""
    done = f"{broadcast.started} of {broadcast.total} started"
    done += f", {broadcast.not_started} skipped" if broadcast.not_started else ""
    match broadcast.status:
        case BroadcastStatus.DRAFT:
            return _draft(broadcast)
        case BroadcastStatus.GATHERING:
            said = f"The segment is being walked through: {broadcast.total} targets found so far."
        case BroadcastStatus.RUNNING:
            said = f"Running: {done}."
        case BroadcastStatus.CANCELLING:
            said = f"Cancelled: {done}. Its runs are being cancelled: {broadcast.cancelled_runs} so far."
        case BroadcastStatus.CANCELLED:
            more = f" {broadcast.cancelled_runs} runs were cancelled." if broadcast.cancels_runs else ""
            said = f"Cancelled: {done}.{more}"
        case BroadcastStatus.FAILED:
            said = f"Failed ({broadcast.failure}): {done}."
        case _:
            said = f"Completed: {done}."
    return f"{said} {NOTES.get(broadcast.note, '')}".strip()


def target_states(broadcast: Broadcast, *, after: int = 0, skipped_only: bool = False) -> Iterator[TargetState]:
    """What became of the targets after a position, in order; the runs are looked up a chunk at a time."""
    for chunk in chunks_of(broadcast, after):
        begins = max(after - chunk.first, 0)
        wanted = [
            index
            for index in range(begins, len(chunk.subjects))
            if not skipped_only or _reason(broadcast, chunk, index)
        ]
        yield from _states(broadcast, chunk, wanted)


def targets_of_subject(broadcast: Broadcast, subject: str) -> list[TargetState]:
    """What became of a subject in this broadcast, each time that it stands there."""
    mine = BroadcastChunk.objects.filter(tenant_id=broadcast.tenant_id, broadcast_id=broadcast.pk)
    found = mine.filter(subjects__contains=[subject]).order_by("first")
    return [
        state
        for chunk in found
        for state in _states(broadcast, chunk, [i for i, one in enumerate(chunk.subjects) if one == subject])
    ]


def _states(broadcast: Broadcast, chunk: BroadcastChunk, wanted: list[int]) -> Iterator[TargetState]:
    runs = _runs(broadcast, [chunk.subjects[index] for index in wanted])
    for index in wanted:
        subject, reason = chunk.subjects[index], _reason(broadcast, chunk, index)
        started = not reason and chunk.first + index < broadcast.cursor
        run = runs.get(run_key(broadcast, subject)) if started else None
        yield TargetState(
            chunk.first + index + 1, subject, "skipped" if reason else "started" if started else "waiting", reason, run
        )


def _reason(broadcast: Broadcast, chunk: BroadcastChunk, index: int) -> str:
    """Why a target got no run, or an empty text. What an ended broadcast did not come to it skipped."""
    said = str(chunk.skipped.get(str(index), ""))
    if said or chunk.first + index < broadcast.cursor or not broadcast.has_ended:
        return said
    return "failed" if broadcast.status == BroadcastStatus.FAILED else "cancelled"


def _runs(broadcast: Broadcast, subjects: list[str]) -> dict[Any, uuid.UUID]:
    keys = [run_key(broadcast, subject) for subject in subjects]
    mine = Run.objects.for_tenant(broadcast.tenant_id).filter(
        definition_key=broadcast.definition_key, idempotency_key__in=keys
    )
    return dict(mine.values_list("idempotency_key", "public_id"))


def _draft(broadcast: Broadcast) -> str:
    if broadcast.source == BroadcastSource.SEGMENT:
        return f"A draft for the segment {broadcast.segment_key}: nothing starts before it is started."
    if not broadcast.total:
        return "A draft without targets: upload a file."
    return f"A draft with {broadcast.total} targets: nothing starts before it is started."
