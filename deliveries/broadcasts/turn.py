"""Turns of broadcasts: what one nudge makes a worker do for one tenant. Bounded, and each piece is one commit."""

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from django.db import OperationalError
from django.db.models import Q, QuerySet

from chimeway_py.nudges import offer, quiet
from chimeway_py.turns import TURN_SECONDS, go_on
from deliveries.broadcasts.ordering import end_broadcast, freeze_recipients
from deliveries.broadcasts.segments import matching_after
from deliveries.broadcasts.starting import HOLD, start_slice
from deliveries.broadcasts.targets import Target, new_chunk, store_chunk
from deliveries.models import Broadcast, BroadcastStatus
from tenants.scope import tenant_scope
from workflows.models import Run
from workflows.services.advance import advance_due
from workflows.services.control import cancel_runs
from workflows.services.route import route_signals
from workflows.states import Cause

log = structlog.get_logger(__name__)

WALKED = 1000  # recipients of a segment that one commit looks at
CANCELLED_AT_ONCE = 200
MOST_FAILURES = 10
TAKE_UP_SECONDS = 1.0


def broadcast_turn(*, tenant_id: int) -> int:
    """Go on with the tenant's broadcasts, the one that is due longest first, until nothing is due or the turn is over.

    How many pieces were done. What was started is taken up before more is, so that it does not pile up, and one message
    stands for a broadcast: each more that went round would keep other tenants waiting for as long as there are targets.
    """
    ends_at, done = time.monotonic() + TURN_SECONDS, 0
    while (found := _longest_due(tenant_id)) is not None:
        with quiet("engine"):
            done += _go_on(tenant_id, found)
        _take_up(tenant_id)
        if time.monotonic() >= ends_at:
            go_on("broadcasts", tenant_id)
            break
    return done


def _longest_due(tenant_id: int) -> int | None:
    with tenant_scope(tenant_id) as scope:
        due = _workable(tenant_id, scope.now).order_by("due_at", "id")
        free = due.select_for_update(no_key=True, skip_locked=True)  # another worker may be at it
        return free.values_list("id", flat=True).first()


def _workable(tenant_id: int, now: datetime) -> "QuerySet[Broadcast]":
    """Those that are due, and those that somebody is at: the message that goes round for them does not wait."""
    return Broadcast.objects.filter(Q(due_at__lte=now) | Q(due_at__isnull=False, note=""), tenant_id=tenant_id)


def _take_up(tenant_id: int) -> None:
    """Route signals and advance runs until nothing is left, for a moment; the engine's own turns do the rest."""
    ends_at = time.monotonic() + TAKE_UP_SECONDS
    while route_signals(tenant_id=tenant_id) + advance_due(tenant_id=tenant_id):
        if time.monotonic() >= ends_at:
            offer("engine", tenant_id)
            return


def _go_on(tenant_id: int, broadcast_id: int) -> bool:
    """One piece of one broadcast. What breaks is tried again later and later, and in the end given up."""
    try:
        with tenant_scope(tenant_id) as scope:
            mine = _workable(tenant_id, scope.now).filter(id=broadcast_id)
            broadcast = mine.select_for_update(no_key=True, skip_locked=True).first()
            if broadcast is None:
                return False
            _PIECES[BroadcastStatus(broadcast.status)](broadcast, scope.now)
            return True
    except OperationalError:
        raise
    except Exception as error:
        log.exception("broadcast_broke", tenant_id=tenant_id, broadcast_id=broadcast_id)
        _note_failure(tenant_id, broadcast_id, type(error).__name__)
        return False


def _note_failure(tenant_id: int, broadcast_id: int, error: str) -> None:
    with tenant_scope(tenant_id) as scope:
        mine = Broadcast.objects.filter(tenant_id=tenant_id, id=broadcast_id, due_at__isnull=False)
        for broadcast in mine.select_for_update(no_key=True):
            broadcast.failures += 1
            if broadcast.failures >= MOST_FAILURES:
                end_broadcast(broadcast, BroadcastStatus.FAILED, scope.now, error)
            else:
                again = scope.now + timedelta(seconds=min(2**broadcast.failures, 60))
                broadcast.note, broadcast.due_at, broadcast.updated_at = "broken", again, scope.now
                broadcast.save()


def _gather(broadcast: Broadcast, now: datetime) -> None:
    """Walk on through the recipients: who meets the condition now is a target. Then start them."""
    if not broadcast.gather_up_to:  # it was to begin later than it was ordered
        freeze_recipients(broadcast)
    found, last, seen = matching_after(
        broadcast.tenant_id, broadcast.condition, broadcast.gathered_after, WALKED, broadcast.gather_up_to
    )
    if found:
        store_chunk(new_chunk(broadcast, broadcast.total, [Target(0, subject) for subject in found]))
    broadcast.total, broadcast.gathered_after = broadcast.total + len(found), last
    broadcast.failures, broadcast.note, broadcast.due_at, broadcast.updated_at = 0, "", now + HOLD, now
    if seen == WALKED:
        broadcast.save()
    elif broadcast.total:
        broadcast.status = BroadcastStatus.RUNNING
        broadcast.save()
    else:
        end_broadcast(broadcast, BroadcastStatus.COMPLETED, now)


def _cancel(broadcast: Broadcast, now: datetime) -> None:
    """Cancel the next of its runs that are under way."""
    mine = Run.objects.for_tenant(broadcast.tenant_id).of_broadcast(broadcast.public_id)
    rows = mine.live().filter(id__gt=broadcast.cancelled_after).order_by("id")
    found = list(rows.values_list("id", "public_id")[:CANCELLED_AT_ONCE])
    verdicts = cancel_runs(
        tenant_id=broadcast.tenant_id,
        public_ids=[public_id for _, public_id in found],
        cause=Cause.API,
        cause_ref=f"broadcast:{broadcast.public_id}",
        reason=broadcast.reason,
    )
    broadcast.cancelled_runs += sum(one.verdict == "moved" for one in verdicts)
    if len(found) < CANCELLED_AT_ONCE:
        end_broadcast(broadcast, BroadcastStatus.CANCELLED, now)
        return
    broadcast.cancelled_after, broadcast.due_at, broadcast.updated_at = found[-1][0], now + HOLD, now
    broadcast.failures = 0
    broadcast.save()


_PIECES: Mapping[BroadcastStatus, Callable[[Broadcast, datetime], None]] = {
    BroadcastStatus.GATHERING: _gather,
    BroadcastStatus.RUNNING: start_slice,
    BroadcastStatus.CANCELLING: _cancel,
}
