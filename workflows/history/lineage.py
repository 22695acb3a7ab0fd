"""Which run a run is a replay of, and which runs are replays of it: also of runs that were pruned."""

import uuid

from workflows.models import Run, Tombstone, Transition


def origin_of(run: Run) -> uuid.UUID | None:
    """The public id of the run that this one is a replay of, or None. Its first transition names it for ever."""
    first = Transition.objects.filter(tenant_id=run.tenant_id, run_id=run.pk, seq=1)
    named = first.values_list("context__replayed_from", flat=True).first()
    return uuid.UUID(named) if named else None


def replays_of(run: Run, at_most: int) -> list[uuid.UUID]:
    """The public ids of the latest replays of a run, oldest first. Those that were pruned come before the others."""
    there = Run.objects.for_tenant(run.tenant_id).filter(replayed_from_id=run.pk)
    found = list(there.order_by("-id").values_list("public_id", flat=True)[:at_most])
    gone = Tombstone.objects.filter(tenant_id=run.tenant_id, replayed_from=run.public_id)
    found += gone.order_by("-run_id").values_list("run_public_id", flat=True)[: at_most - len(found)]
    return found[::-1]
