"""Starting the next runs of a broadcast: a slice of one chunk, in one commit with the cursor."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from chimeway_py.errors import ChimewayError
from deliveries.broadcasts.making import data_of
from deliveries.broadcasts.ordering import end_broadcast
from deliveries.broadcasts.targets import chunk_at, new_run, said_of
from deliveries.models import Broadcast, BroadcastStatus
from tenants.limits.errors import BeyondLimit, LimitReached
from tenants.limits.taking import taking_as
from workflows.definitions.errors import DefinitionNotFound
from workflows.errors import DefinitionOff, StartDataGone
from workflows.services.backlog import backlog_of
from workflows.services.start import PER_START, NewRun, start_runs

SLICE = 250  # runs that one commit starts
HOLD = timedelta(seconds=2)  # how long the sweep leaves a broadcast to whoever is at it
SOON = timedelta(milliseconds=500)  # until a tenant's backlog is asked for again
LATER = timedelta(seconds=15)  # until a definition that is switched off is
MINUTE = timedelta(minutes=1)


def start_slice(broadcast: Broadcast, now: datetime) -> None:
    """Start what is due of a locked, running broadcast, and note when it goes on. Everything is in the caller's commit.

    It waits while much of the tenant's own work is due, so that what comes meanwhile, such as a run that a signal
    starts, never stands behind more than that. A definition that is switched off holds it, and so does a
    limit of the tenant that is used up; a definition that is gone ends it.
    """
    if backlog_of(broadcast.tenant_id, settings.BROADCAST_BACKLOG) >= settings.BROADCAST_BACKLOG:
        _rest(broadcast, "backlog", now + SOON, now)
        return
    try:
        took = _start_what_fits(broadcast, _allowed(broadcast, now))
    except DefinitionOff:
        _rest(broadcast, "definition_off", now + LATER, now)
    except LimitReached as error:
        _rest(broadcast, "limit", now + min(timedelta(seconds=error.wait), MINUTE), now)
    except BeyondLimit:  # of nothing at all
        _rest(broadcast, "limit", now + MINUTE, now)
    except (DefinitionNotFound, StartDataGone) as error:
        end_broadcast(broadcast, BroadcastStatus.FAILED, now, error.code)
    else:
        if broadcast.cursor >= broadcast.total:
            end_broadcast(broadcast, BroadcastStatus.COMPLETED, now)
        else:
            _rest(broadcast, "rate" if broadcast.rate else "", _next_time(broadcast, took, now), now)


def _rest(broadcast: Broadcast, note: str, until: datetime, now: datetime) -> None:
    broadcast.note, broadcast.due_at, broadcast.updated_at, broadcast.failures = note, until, now, 0
    broadcast.save()


def _allowed(broadcast: Broadcast, now: datetime) -> int | None:
    """How many may start now; None: as many as a turn can. With a rate, never more at once than a minute's."""
    if not broadcast.rate or broadcast.due_at is None:
        return None
    return 1 + int((now - _counted_from(broadcast, now)) * broadcast.rate / MINUTE)


def _next_time(broadcast: Broadcast, took: int, now: datetime) -> datetime:
    """When the next ones may start."""
    if not broadcast.rate or broadcast.due_at is None:
        return now + HOLD
    return _counted_from(broadcast, now) + took * MINUTE / broadcast.rate


def _counted_from(broadcast: Broadcast, now: datetime) -> datetime:
    """Since when starts are owed: not for longer than gives a minute's."""
    assert broadcast.due_at is not None
    assert broadcast.rate
    return max(broadcast.due_at, now - MINUTE + MINUTE / broadcast.rate)


def _start_what_fits(broadcast: Broadcast, allowed: int | None) -> int:
    """Start as many as are allowed and as the limits of the tenant have room for; how far the cursor moved.

    Raises `LimitReached` and `BeyondLimit` when there is room for none.
    """
    most = min(allowed or SLICE, SLICE)
    while True:
        try:
            with transaction.atomic(), taking_as("broadcasts"):
                return _start_next(broadcast, most)
        except (LimitReached, BeyondLimit) as error:
            room = error.budget.left if isinstance(error, LimitReached) else error.budget.amount
            most = min(most - 1, room) if error.budget.kind in PER_START else most // 2
            if most <= 0:
                raise


def _start_next(broadcast: Broadcast, most: int) -> int:
    """Start the targets at the cursor, at most to the end of their chunk, and move it; how far that was."""
    chunk = chunk_at(broadcast, broadcast.cursor)
    if chunk is None:  # nothing is left where there should be: pruned by hand
        took, broadcast.cursor = broadcast.total - broadcast.cursor, broadcast.total
        return took
    begins = broadcast.cursor - chunk.first
    ends = min(len(chunk.subjects), begins + most)
    said, data = said_of(chunk), data_of(broadcast)
    wanted = [index for index in range(begins, ends) if str(index) not in chunk.skipped]
    runs = [new_run(broadcast, chunk.subjects[index], said[index], data) for index in wanted]
    reasons = start_each(broadcast, runs)
    skipped = {str(index): reason for index, reason in zip(wanted, reasons, strict=True) if reason}
    chunk.skipped |= skipped
    if ends == len(chunk.subjects):
        chunk.sealed = None  # the runs have it
    chunk.save(update_fields=["skipped", "sealed"])
    erased = sum(chunk.skipped.get(str(index)) == "erased" for index in range(begins, ends))
    broadcast.skipped = dict(Counter(broadcast.skipped) + Counter(skipped.values()) + Counter(erased=erased))
    broadcast.started += len(wanted) - len(skipped)
    broadcast.cursor = chunk.first + ends
    return ends - begins


def start_each(broadcast: Broadcast, runs: Sequence[NewRun]) -> list[str]:
    """Start the runs; why not, for each that could not be, else an empty text.

    All at once. Where one is refused, the halves are tried apart, down to the one that is to blame.
    """
    if not runs:
        return []
    try:
        with transaction.atomic():
            started = start_runs(
                tenant_id=broadcast.tenant_id,
                definition_key=broadcast.definition_key,
                version=broadcast.version,
                runs=runs,
            )
    except (DefinitionOff, DefinitionNotFound, LimitReached, BeyondLimit):
        raise
    except ChimewayError as error:
        if len(runs) == 1:
            return [error.code]
        half = len(runs) // 2
        return start_each(broadcast, runs[:half]) + start_each(broadcast, runs[half:])
    return ["" if one.created else "already_started" for one in started]
