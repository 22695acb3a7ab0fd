"""The inbox: what a subject did with an item, written once and told to the runs once."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import TextChoices

from chimeway_py.errors import NotFound
from deliveries.models import InboxItem
from signals_app.services import NewSignal, accept_signals
from tenants.scope import tenant_scope

SOURCE = "inbox"
MOST_MARKED = 200  # items, and so signals, of one transaction


class Mark(TextChoices):
    """What a subject can do with an item. Each is the last part of a signal's name: `notification.read`."""

    SEEN = "seen"
    READ = "read"
    ARCHIVED = "archived"


def mark_item(*, tenant_id: int, subject: str, item: UUID, mark: Mark) -> InboxItem:
    """The item, marked. The first time its signal is accepted in the same transaction; again, nothing happens.

    The update takes the row's lock, so of many at once one finds the mark empty. Raises `NotFound`.
    """
    column = f"{mark}_at"
    with tenant_scope(tenant_id) as scope:
        mine = InboxItem.objects.in_inbox(tenant_id, subject).filter(public_id=item)
        marked = mine.filter(**{f"{column}__isnull": True}).update(**{column: scope.now})
        found = mine.first()
        if found is None:
            raise NotFound
        if marked:
            accept_signals(tenant_id=tenant_id, signals=[signal_of(found, mark)], counted=False)
        return found


@dataclass(frozen=True, slots=True)
class Marked:
    """What a bulk mark did: how many items it marked, and whether it left some for another call."""

    marked: int
    more: bool


def mark_items(*, tenant_id: int, subject: str, mark: Mark, items: Sequence[UUID] | None = None) -> Marked:
    """Mark these items, all or none, or without `items` the newest that lack the mark, at most `MOST_MARKED`.

    Each is marked once and its signal accepted in the same transaction; those that have the mark are passed over. Rows
    are locked in order, so two at once wait for each other and do not deadlock. Raises `NotFound`.
    """
    column = f"{mark}_at"
    with tenant_scope(tenant_id) as scope:
        mine = InboxItem.objects.in_inbox(tenant_id, subject)
        chosen = mine.unmarked(column) if items is None else mine.filter(public_id__in=set(items))
        ids = list(chosen.newest_first().values_list("id", flat=True)[: MOST_MARKED + 1])
        if items is not None and len(ids) < len(set(items)):
            raise NotFound
        rows = list(mine.filter(id__in=ids[:MOST_MARKED], **{f"{column}__isnull": True}).locked())
        mine.filter(id__in=[row.pk for row in rows]).update(**{column: scope.now})
        for row in rows:
            setattr(row, column, scope.now)
        accept_signals(tenant_id=tenant_id, signals=[signal_of(row, mark) for row in rows], counted=False)
        return Marked(len(rows), more=len(ids) > MOST_MARKED)


def signal_of(item: InboxItem, mark: Mark) -> NewSignal:
    """The signal that tells of a mark. Its id comes from the item, so it can never be accepted twice."""
    return NewSignal(
        name=f"notification.{mark}",
        subject=item.subject,
        correlation={
            "run_id": str(item.run_public_id),
            "step": item.step_key,
            "item_id": str(item.public_id),
        },
        external_id=f"{item.public_id}:{mark}",
        source=SOURCE,
        occurred_at=getattr(item, f"{mark}_at"),
    )


def unread_counts(*, tenant_id: int, subject: str) -> dict[str, int]:
    """How many items of an inbox are `unread`, and how many of those `unseen`."""
    with tenant_scope(tenant_id):
        return InboxItem.objects.in_inbox(tenant_id, subject).counts()
