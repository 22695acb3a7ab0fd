"""Targets: whom a broadcast is for, and what is said of each. Kept in chunks of some hundred."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deliveries.models import Broadcast, BroadcastChunk
from deliveries.models.broadcast import SEALED
from signals_app.services.payloads import digest
from tenants.sql import execute
from tenants.vault import vault_of
from workflows.services.start import NewRun
from workflows.states import Cause

CHUNK = 500
_SAID = ("data", "correlation", "recipient")
_CHUNK = """
INSERT INTO deliveries_broadcastchunk (tenant_id, broadcast_id, public_id, first, subjects, sealed, skipped)
VALUES (%s, %s, %s, %s, %s::text[], %s, %s::jsonb)
"""


@dataclass(frozen=True, slots=True)
class Target:
    """One target as it was given: on which line of a file, or as which item of a list (both from 1)."""

    line: int
    subject: str
    data: Mapping[str, Any] = field(default_factory=dict)
    correlation: Mapping[str, Any] = field(default_factory=dict)
    recipient: Mapping[str, Any] | None = None
    places: Mapping[str, str] = field(default_factory=dict)  # of a CSV: path -> the heading of its column

    def column_of(self, path: str) -> str:
        """The heading of the column that holds what is at a path, or an empty text."""
        return next((name for place, name in self.places.items() if f"{path}/".startswith(f"{place}/")), "")

    def said(self) -> dict[str, Any]:
        """What is said of it, without what is empty."""
        told = {name: getattr(self, name) for name in _SAID}
        return {name: value for name, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class Faulty:
    """A line that is no target, and why: {path, code, message} of each fault, with the column if there is one."""

    line: int
    faults: Sequence[Mapping[str, Any]]


def new_chunk(broadcast: Broadcast, first: int, targets: Sequence[Target]) -> BroadcastChunk:
    """A chunk of targets, not yet written. Of targets about which nothing is said nothing is sealed."""
    chunk = BroadcastChunk(
        tenant_id=broadcast.tenant_id,
        broadcast_id=broadcast.pk,
        first=first,
        subjects=[target.subject for target in targets],
    )
    said = [target.said() for target in targets]
    if any(said):
        seal(chunk, said)
    return chunk


def store_chunk(chunk: BroadcastChunk) -> None:
    """Write a new chunk. By the ORM the driver would keep the text of its last hundred statements, targets and all."""
    skipped = json.dumps(chunk.skipped)
    said = [chunk.broadcast_id, chunk.public_id, chunk.first, list(chunk.subjects), chunk.sealed, skipped]
    execute(_CHUNK, [chunk.tenant_id, *said])


def seal(chunk: BroadcastChunk, said: Sequence[Mapping[str, Any]]) -> None:
    """Let the chunk keep this of its targets."""
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    chunk.sealed = vault_of(chunk.tenant_id).seal(SEALED, str(chunk.public_id), text)


def said_of(chunk: BroadcastChunk) -> list[dict[str, Any]]:
    """What is said of each target of a chunk. Raises `CannotOpen`."""
    if chunk.sealed is None:
        return [{} for _ in chunk.subjects]
    text = vault_of(chunk.tenant_id).open(SEALED, str(chunk.public_id), bytes(chunk.sealed))
    said: list[dict[str, Any]] = json.loads(text)
    return said


def run_key(broadcast: Broadcast, subject: str) -> str:
    """The idempotency key of the run for a target. By digest: a subject may be as long as the whole key."""
    return f"broadcast:{broadcast.public_id}:{digest(subject).hex()[:32]}"


def checked_run(broadcast: Broadcast, subject: str, said: Mapping[str, Any], data: Mapping[str, Any]) -> NewRun:
    """What a run for a target says, to be checked: what is said of it counts before what is said of all."""
    recipient = said.get("recipient")
    return NewRun(
        subject=subject,
        correlation={**broadcast.correlation, **said.get("correlation", {})},
        data={**data, **said.get("data", {})},
        companions={"recipient": recipient} if recipient else {},
    )


def new_run(broadcast: Broadcast, subject: str, said: Mapping[str, Any], data: Mapping[str, Any]) -> NewRun:
    """The run for a target of this broadcast: made once, however often it is started."""
    return replace(
        checked_run(broadcast, subject, said, data),
        idempotency_key=run_key(broadcast, subject),
        cause=Cause.TRIGGER,
        cause_ref=f"broadcast:{broadcast.public_id}",
        origin={"broadcast": str(broadcast.public_id)},
    )


def chunk_at(broadcast: Broadcast, position: int) -> BroadcastChunk | None:
    """The chunk with the target at a position (from 0), locked; None after the last."""
    mine = BroadcastChunk.objects.filter(tenant_id=broadcast.tenant_id, broadcast_id=broadcast.pk)
    found = mine.filter(first__lte=position).order_by("-first").select_for_update(no_key=True).first()
    return found if found is not None and position < found.end else None


def chunks_of(broadcast: Broadcast, after: int = 0) -> Iterator[BroadcastChunk]:
    """The chunks with targets from a position on, one in memory."""
    mine = BroadcastChunk.objects.filter(tenant_id=broadcast.tenant_id, broadcast_id=broadcast.pk)
    chunk = mine.filter(first__lte=after).order_by("-first").first()
    while chunk is not None:
        yield chunk
        chunk = mine.filter(first__gte=chunk.end).order_by("first").first() if chunk.subjects else None
