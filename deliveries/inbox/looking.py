"""What changed in an inbox between two looks.

A look reads the newest items without their content, by the index that lists an inbox. It compares marks and not only
ids: ids are given before the commit, so a smaller one may appear after a larger one, and marks come from other tabs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q

from deliveries.models import InboxItem
from tenants.scope import tenant_scope

WATCHED = 50  # newest items of an inbox whose changes are told
# What came before the place of a resume may have been committed after it: no transaction lives longer than this.
LATE = timedelta(seconds=120)
Marks = tuple[datetime | None, datetime | None, datetime | None]
_MARKS = ("seen_at", "read_at", "archived_at")


@dataclass(frozen=True, slots=True)
class Look:
    """The newest items of an inbox with their marks, and the numbers of its badge."""

    marks: Mapping[int, Marks]
    counts: Mapping[str, int]

    @property
    def newest(self) -> int:
        """The id of the newest item; 0 for an empty inbox."""
        return max(self.marks, default=0)

    def changed_since(self, before: "Look") -> list[int]:
        """Items that are new or marked, oldest first."""
        oldest = min(before.marks, default=0) if len(before.marks) == WATCHED else 0
        return sorted(item for item, marks in self.marks.items() if before.marks.get(item) != marks and item >= oldest)

    def lost_since(self, before: "Look") -> bool:
        """Whether an item is gone that should still be among the newest: pruned, or erased."""
        oldest = min(self.marks, default=0) if len(self.marks) == WATCHED else 0
        return any(item > oldest for item in before.marks.keys() - self.marks.keys())

    def outruns(self, before: "Look") -> bool:
        """Whether more came than are watched, so that some of them cannot be told one by one."""
        return len(self.marks) == WATCHED and min(self.marks) > before.newest


def look(tenant_id: int, subject: str) -> Look:
    """The inbox as it is now, in a short transaction of its own."""
    with tenant_scope(tenant_id):
        mine = InboxItem.objects.in_inbox(tenant_id, subject)
        rows = mine.newest_first().values_list("id", *_MARKS)[:WATCHED]
        marks = {item: (seen, read, archived) for item, seen, read, archived in rows}
        return Look(marks, mine.counts())


def items_of(tenant_id: int, subject: str, ids: list[int]) -> list[InboxItem]:
    """These items with their content, oldest first. Those that are gone meanwhile are left out."""
    with tenant_scope(tenant_id):
        return list(InboxItem.objects.in_inbox(tenant_id, subject).filter(id__in=ids).order_by("id"))


def missed_since(tenant_id: int, subject: str, after: int) -> list[int] | None:
    """Ids that came after the place of a resume, or late before it; None when they are too many to tell."""
    with tenant_scope(tenant_id) as scope:
        late = Q(created_at__gt=scope.now - LATE)
        mine = InboxItem.objects.in_inbox(tenant_id, subject).filter(Q(id__gt=after) | late)
        ids = list(mine.newest_first().values_list("id", flat=True)[: WATCHED + 1])
        return sorted(ids) if len(ids) <= WATCHED else None
