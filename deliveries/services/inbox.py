"""The inbox: what a subject did with an item, written once and told to the runs once."""

from uuid import UUID

from django.db.models import TextChoices

from chimeway_py.errors import NotFound
from deliveries.models import InboxItem
from signals_app.services import NewSignal, accept_signals
from tenants.scope import tenant_scope

SOURCE = "inbox"


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
            accept_signals(tenant_id=tenant_id, signals=[signal_of(found, mark)])
        return found


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
