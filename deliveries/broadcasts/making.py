"""Making a broadcast: all that its runs will start with is checked and frozen. Nothing starts."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable, scalar_text
from deliveries.broadcasts.columns import column_faults
from deliveries.broadcasts.errors import BroadcastNotDraft, BroadcastNotFound
from deliveries.broadcasts.filling import faults_in, fill, listed
from deliveries.broadcasts.segments import segment_named
from deliveries.broadcasts.targets import Faulty, Target, checked_run
from deliveries.models import Broadcast, BroadcastChunk, BroadcastSource, BroadcastStatus
from signals_app.services.payloads import canonical, load_payloads, write_payloads
from tenants.scope import tenant_scope
from workflows.errors import StartDataGone
from workflows.services.documents import Loaded
from workflows.services.start_checks import check_starts, startable

MOST_RATE = 600_000
MOST_LISTED = 10_000
SOMEBODY = "somebody"  # stands for a target where only what is said of all is checked


@dataclass(frozen=True, slots=True)
class NewBroadcast:
    """What a broadcast is made of. `subjects`, `segment`, or neither: a file follows."""

    workflow: str
    version: int | None = None
    name: str = ""
    subjects: Sequence[str] | None = None
    segment: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    correlation: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    rate: int | None = None


def make_broadcast(*, tenant_id: int, new: NewBroadcast, made_by: str) -> Broadcast:
    """A draft. The version, the data and the condition of a segment stay as they are now.

    Raises `Invalid` with every fault, `DefinitionNotFound`, `DefinitionOff` and `SegmentNotFound`.
    """
    _check(new)
    with tenant_scope(tenant_id) as scope:
        loaded = startable(tenant_id, new.workflow, new.version)
        broadcast = Broadcast(
            tenant_id=tenant_id,
            name=new.name,
            definition_key=loaded.key,
            version=loaded.version,
            source=_source(new),
            columns=dict(new.columns),
            rate=new.rate,
            made_by=made_by[:150],
            created_at=scope.now,
            updated_at=scope.now,
        )
        if new.segment:
            segment = segment_named(tenant_id, new.segment)
            broadcast.segment_key, broadcast.condition = segment.key, segment.condition
        broadcast.correlation = _checked(loaded, broadcast, new)
        if new.data:
            (broadcast.data_sha,) = write_payloads(tenant_id=tenant_id, texts=[canonical(new.data)]).values()
        broadcast.save()
        if new.subjects is not None:
            fill(broadcast, loaded, data_of(broadcast), listed(new.subjects))
            broadcast.save()
        return broadcast


def put_targets(*, tenant_id: int, public_id: uuid.UUID, targets: Iterable[Target | Faulty]) -> tuple[Broadcast, bool]:
    """Let these, and no others, be the targets of a draft that is filled from a file, all or none.

    The draft, and whether anything is said of recipients. Raises `Invalid` with the faults of all of them,
    `BroadcastNotFound` and `BroadcastNotDraft`.
    """
    with tenant_scope(tenant_id) as scope:
        broadcast = locked(tenant_id, public_id)
        if broadcast.status != BroadcastStatus.DRAFT or broadcast.source != BroadcastSource.FILE:
            raise BroadcastNotDraft("Only a draft that was made without subjects and without a segment takes a file.")
        BroadcastChunk.objects.filter(tenant_id=tenant_id, broadcast_id=broadcast.pk).delete()
        loaded = startable(tenant_id, broadcast.definition_key, broadcast.version)
        broadcast.revision, broadcast.updated_at = broadcast.revision + 1, scope.now
        tells_recipients = fill(broadcast, loaded, data_of(broadcast), targets)
        broadcast.save()
        return broadcast, tells_recipients


def locked(tenant_id: int, public_id: uuid.UUID) -> Broadcast:
    """The broadcast under its row lock. Raises `BroadcastNotFound`."""
    mine = Broadcast.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, public_id=public_id)
    found = mine.first()
    if found is None:
        raise BroadcastNotFound("No such broadcast.")
    return found


def data_of(broadcast: Broadcast) -> dict[str, Any]:
    """What every run starts with; inside its tenant's scope. Raises `StartDataGone`."""
    if broadcast.data_sha is None:
        return {}
    found = load_payloads(broadcast.tenant_id, [address := bytes(broadcast.data_sha)])
    if address not in found:
        raise StartDataGone
    return dict(found[address])


def _source(new: NewBroadcast) -> BroadcastSource:
    if new.segment:
        return BroadcastSource.SEGMENT
    return BroadcastSource.FILE if new.subjects is None else BroadcastSource.LIST


def _check(new: NewBroadcast) -> None:
    faults = []
    if new.subjects is not None and new.segment:
        faults.append(fault("/segment", "conflict", "Either subjects or a segment."))
    if new.subjects is not None and not 1 <= len(new.subjects) <= MOST_LISTED:
        faults.append(fault("/subjects", "bad_length", f"A list of 1 to {MOST_LISTED}; more come in a file."))
    if new.columns and _source(new) != BroadcastSource.FILE:
        faults.append(fault("/columns", "conflict", "Only a file has columns."))
    faults += column_faults(new.columns)
    if not is_storable(new.name, 200):
        faults.append(fault("/name", "bad_text", "Text of at most 200 characters."))
    if new.rate is not None and not 1 <= new.rate <= MOST_RATE:
        faults.append(fault("/rate", "bad_number", f"Starts per minute: from 1 to {MOST_RATE}."))
    if faults:
        raise Invalid("The broadcast is not valid.", faults)


def _checked(loaded: Loaded, broadcast: Broadcast, new: NewBroadcast) -> dict[str, str]:
    """The correlation values that all runs share, as text. What is in a file is judged together with its rows."""
    data = {} if broadcast.source == BroadcastSource.FILE else new.data
    broadcast.correlation = dict(new.correlation)
    try:
        return dict(check_starts(loaded, [checked_run(broadcast, SOMEBODY, {}, data)])[0].correlation)
    except Invalid as error:
        found = [{**one, "path": str(one["path"]).removeprefix("/0")} for one in faults_in(error)]
        if broadcast.source == BroadcastSource.FILE:
            found = [one for one in found if one["path"].startswith("/correlation")]
        if found:
            raise Invalid("The broadcast is not valid.", found) from error
        return {name: scalar_text(value) for name, value in new.correlation.items()}
