"""Which of many runs did something that can be undone, and how much: a few statements, however many runs there are."""

from collections.abc import Iterator, Sequence

from django.db.models import Count, Exists, OuterRef, Q

from workflows.models import StepRun
from workflows.querysets import RunQuerySet, StepRunQuerySet
from workflows.services.documents import Loaded, documents


def left_to_undo(tenant_id: int, ended: RunQuerySet) -> RunQuerySet:
    """Those of ended runs with something left to undo, as `compensate_runs` would find it."""
    mine = StepRun.objects.for_tenant(tenant_id).filter(run_id=OuterRef("id"))
    where = Q(Exists(mine.failed_to_undo()))
    for one in _undoing(tenant_id, ended):
        where |= Q(Exists(mine.left_to_undo(one.document.compensating)), definition_id=one.id)
    return ended.filter(where)


def compensates(tenant_id: int, moving: RunQuerySet, *, have_ended: bool) -> dict[str, int]:
    """How many visits would be undone, by `<workflow>.<step>`; those in flight as though they succeeded.

    Of runs that have ended, what is undone or will be is left out, and what failed to be undone is counted.
    """
    found: dict[str, int] = {}
    for one in _undoing(tenant_id, moving):
        ids = moving.filter(definition_id=one.id).order_by().values("id")
        mine = StepRun.objects.for_tenant(tenant_id).filter(run_id__in=ids)
        for step, count in _counted(mine, one.document.compensating, have_ended):
            found[f"{one.key}.{step}"] = found.get(f"{one.key}.{step}", 0) + count
    return dict(sorted(found.items()))


def _counted(mine: StepRunQuerySet, steps: Sequence[str], have_ended: bool) -> Iterator[tuple[str, int]]:
    for rows in [mine.left_to_undo(steps), mine.failed_to_undo()] if have_ended else [mine.undoable(steps)]:
        yield from rows.order_by().values_list("step").annotate(count=Count("id"))


def _undoing(tenant_id: int, runs: RunQuerySet) -> list[Loaded]:
    """The versions of these runs that say how something is undone."""
    ids = runs.order_by().values_list("definition_id", flat=True).distinct()
    return [one for one in documents(tenant_id, ids).values() if one.document.compensating]
