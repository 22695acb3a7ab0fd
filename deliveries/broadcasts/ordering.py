"""Starting a broadcast that was looked at, and cancelling one, at whatever point it is."""

import uuid
from datetime import datetime

from chimeway_py.errors import Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from deliveries.broadcasts.errors import BroadcastEmpty, BroadcastEnded, BroadcastNotDraft
from deliveries.broadcasts.making import locked
from deliveries.broadcasts.preview import require_preview
from deliveries.models import Broadcast, BroadcastSource, BroadcastStatus, Recipient
from tenants.scope import tenant_scope
from tenants.services.operators import check_reason
from workflows.events.record import record_event
from workflows.events.types import EventType

EVENTS = {
    BroadcastStatus.COMPLETED: EventType.BROADCAST_COMPLETED,
    BroadcastStatus.CANCELLED: EventType.BROADCAST_CANCELLED,
    BroadcastStatus.FAILED: EventType.BROADCAST_FAILED,
}


def start_broadcast(
    *, tenant_id: int, public_id: uuid.UUID, token: str, ordered_by: str, at: datetime | None = None
) -> Broadcast:
    """Let a draft begin, now or at a time. The token is of a preview of the draft as it is.

    A segment is evaluated over the recipients that exist when it begins. Raises `BroadcastNotFound`,
    `BroadcastNotDraft`, `BroadcastEmpty`, `PreviewChanged` and `Invalid`.
    """
    if at is not None and at.tzinfo is None:
        raise Invalid("The start is not valid.", [fault("/at", "no_time_zone", "An instant with an offset.")])
    with tenant_scope(tenant_id) as scope:
        broadcast = locked(tenant_id, public_id)
        if broadcast.status != BroadcastStatus.DRAFT:
            raise BroadcastNotDraft
        require_preview(broadcast, token, scope.now)
        is_segment = broadcast.source == BroadcastSource.SEGMENT
        if not is_segment and not broadcast.total:
            raise BroadcastEmpty
        broadcast.status = BroadcastStatus.GATHERING if is_segment else BroadcastStatus.RUNNING
        broadcast.due_at = max(at, scope.now) if at else scope.now
        broadcast.note = "scheduled" if broadcast.due_at > scope.now else ""
        if is_segment and not broadcast.note:
            freeze_recipients(broadcast)
        broadcast.ordered_by, broadcast.ordered_at, broadcast.updated_at = ordered_by[:150], scope.now, scope.now
        broadcast.save()
        nudge_after_commit("broadcasts", tenant_id)
        return broadcast


def freeze_recipients(broadcast: Broadcast) -> None:
    """Let who is stored from now on be no target. Whoever asks stores the row."""
    mine = Recipient.objects.filter(tenant_id=broadcast.tenant_id)
    broadcast.gather_up_to = mine.order_by("-id").values_list("id", flat=True).first() or 0


def cancel_broadcast(
    *, tenant_id: int, public_id: uuid.UUID, reason: str, cancelled_by: str, runs: bool = False
) -> Broadcast:
    """End a broadcast: when this has returned and its transaction is committed, it starts nothing more.

    With `runs`, the runs that it started are cancelled as well, a batch at a time by the workers. Of one that was
    cancelled without them, `runs` cancels them now. Raises `BroadcastNotFound`, `BroadcastEnded` and `Invalid`.
    """
    why = check_reason(reason)
    with tenant_scope(tenant_id) as scope:
        broadcast = locked(tenant_id, public_id)  # a turn that starts runs holds this lock until it commits
        if broadcast.has_ended and not (runs and broadcast.started and not broadcast.cancels_runs):
            raise BroadcastEnded(detail={"status": broadcast.status})
        if broadcast.status == BroadcastStatus.CANCELLING:
            return broadcast
        broadcast.cancelled_by, broadcast.reason, broadcast.cancels_runs = cancelled_by[:150], why, runs
        if runs and broadcast.started:
            broadcast.status, broadcast.due_at, broadcast.finished_at = BroadcastStatus.CANCELLING, scope.now, None
            broadcast.note, broadcast.updated_at, broadcast.failures = "", scope.now, 0
            broadcast.save()
            nudge_after_commit("broadcasts", tenant_id)
        else:
            end_broadcast(broadcast, BroadcastStatus.CANCELLED, scope.now)
        return broadcast


def end_broadcast(broadcast: Broadcast, status: BroadcastStatus, now: datetime, failure: str = "") -> None:
    """Let a locked broadcast be over, tell whoever subscribed, and forget what was said of targets."""
    broadcast.status, broadcast.failure, broadcast.note = status, failure[:64], ""
    broadcast.due_at, broadcast.finished_at, broadcast.updated_at = None, now, now
    broadcast.save()
    broadcast.chunks.filter(tenant_id=broadcast.tenant_id, sealed__isnull=False).update(sealed=None)
    told = {
        "broadcast_id": str(broadcast.public_id),
        "workflow": broadcast.definition_key,
        "status": str(status),
        "total": broadcast.total,
        "started": broadcast.started,
        "skipped": broadcast.skipped_by_reason,
    }
    record_event(broadcast.tenant_id, EVENTS[status], told)
