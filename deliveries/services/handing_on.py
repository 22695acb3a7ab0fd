"""A message that others were joined to is not sent, whatever the reason: the next of them takes its place.

It goes out like a resend, under a key of its own, because its own run was told long ago that it was joined. Unlike what
a person sends again, it heeds hours and caps, and it is not sent when its own run ended otherwise than completed. If it
cannot be sent either, the next has its turn; each has one, so that two that fail do not call each other for ever.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q

from chimeway_py.nudges import nudge_after_commit
from deliveries.models import Delivery
from deliveries.services.resend import plan_resend, write_step_run
from deliveries.timing.caps import lock_places
from workflows.models import Run, StepRun
from workflows.states import RunState
from workflows.store.answers import is_data_gone

_MOST_NUMBERS = 5  # resends of one visit that somebody may ask for at this very moment


def hand_on(tenant_id: int, ended: Sequence[Delivery], now: datetime) -> None:
    """Let the oldest message that was joined to each of these go out in its place, and the others be joined to it.

    In the transaction that ends them, and inside the tenant's scope. Of several the first whose run goes on or
    completed, and that may be sent at all.
    """
    for leader in sorted(ended, key=lambda one: (one.channel, one.subject, one.pk)):
        lock_places(leader)  # what is joined to it at this moment is seen, and what comes later joins another
        for joined in _joined_to(leader):
            if (mine := _take_place(leader, joined, now)) is not None:
                join_to(tenant_id, leader.public_id, mine.public_id)
                nudge_after_commit("work", tenant_id)
                break


def join_to(tenant_id: int, leader: UUID, other: UUID) -> None:
    """What was joined to the one is joined to the other from now on."""
    Delivery.objects.for_tenant(tenant_id).filter(coalesced_into=leader).update(coalesced_into=other)


def is_wanted(run: Run) -> bool:
    """Whether a message of this run still stands: what else ended the run took the reason for it away."""
    return not run.is_finished or run.state == RunState.COMPLETED


def _joined_to(leader: Delivery) -> list[Delivery]:
    mine = Delivery.objects.for_tenant(leader.tenant_id).filter(coalesced_into=leader.public_id)
    wanted = Q(run__finished_at=None) | Q(run__state=RunState.COMPLETED)
    had_their_turn = mine.filter(resends__stands_in_for__isnull=False)
    waiting = mine.filter(wanted).exclude(id__in=had_their_turn.values("id"))
    return list(waiting.exclude(id=leader.resend_of_id or 0).select_related("run").order_by("id"))


def _take_place(leader: Delivery, joined: Delivery, now: datetime) -> Delivery | None:
    """A delivery of the joined message that waits as long as the one before it did; None if it must not be sent."""
    if is_data_gone(joined.tenant_id, joined.run_id):
        return None
    step_run = _step_run(joined, now)
    mine = plan_resend(joined.run, joined, step_run, now=now, stands_in_for=leader.public_id)
    if not mine.is_owed:
        return None
    times = [one for one in (mine.held_until, leader.held_until, now) if one is not None]
    mine.held_by, mine.held_until = "cap", max(times)
    mine.decided_by, mine.decided_rule = leader.decided_by, leader.decided_rule
    Delivery.objects.bulk_update([mine], ["held_by", "held_until", "decided_by", "decided_rule"])
    StepRun.objects.for_tenant(leader.tenant_id).filter(id=step_run.pk).update(due_at=mine.held_until)
    return mine


def _step_run(joined: Delivery, now: datetime) -> StepRun:
    """Its run is not locked, for that would be out of the order of locks; so a number may just have been taken."""
    for _ in range(_MOST_NUMBERS):
        try:
            with transaction.atomic():
                return write_step_run(joined.run, joined, now)
        except IntegrityError:
            continue
    return write_step_run(joined.run, joined, now)
