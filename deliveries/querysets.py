"""Questions about deliveries and inboxes, in words that chain."""

from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.db import models
from django.db.models import Count, Q

from deliveries.states import OWED

if TYPE_CHECKING:
    from deliveries.models import Delivery, InboxItem, Template  # noqa: F401  ruff does not see them in the base classes


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Deliveries."""

    def for_tenant(self, tenant_id: int) -> Self:
        """One tenant's."""
        return self.filter(tenant_id=tenant_id)

    def of_step_run(self, tenant_id: int, step_run_id: int) -> Self:
        """The delivery that one step run owes."""
        return self.filter(tenant_id=tenant_id, step_run_id=step_run_id)

    def owed(self) -> Self:
        """Those we still mean to send."""
        return self.filter(status__in=OWED)

    def overdue(self, since: datetime) -> Self:
        """Owed since before then, and not held back on purpose."""
        is_free = Q(held_until__isnull=True) | Q(held_until__lt=since)
        return self.owed().filter(is_free, planned_at__lt=since)

    def locked(self) -> Self:
        """Locked for change, in order of their keys. Evaluate inside the transaction."""
        return self.order_by("id").select_for_update(no_key=True)


class InboxItemQuerySet(models.QuerySet["InboxItem"]):
    """Inbox items."""

    def in_inbox(self, tenant_id: int, subject: str) -> Self:
        """One subject's inbox, archived items too."""
        return self.filter(tenant_id=tenant_id, subject=subject)

    def current(self) -> Self:
        """What is not archived."""
        return self.filter(archived_at__isnull=True)

    def unread(self) -> Self:
        """What is neither read nor archived."""
        return self.filter(read_at__isnull=True, archived_at__isnull=True)

    def newest_first(self) -> Self:
        """In the order an inbox shows."""
        return self.order_by("-id")

    def unmarked(self, column: str) -> Self:
        """What lacks a mark and is not archived: whoever marks all does not touch what was put away."""
        return self.current().filter(**{f"{column}__isnull": True})

    def locked(self) -> Self:
        """Locked for change, in order of their keys. Evaluate inside the transaction."""
        return self.order_by("id").select_for_update(no_key=True)

    def counts(self) -> dict[str, int]:
        """How many are unread, and how many of those were never seen."""
        return self.unread().aggregate(unread=Count("id"), unseen=Count("id", filter=Q(seen_at__isnull=True)))


def shown_templates(tenant_id: int) -> "models.QuerySet[Template]":
    """A tenant's templates, each with the version that is published and the number of its draft."""
    from deliveries.models import Template, TemplateVersion  # the models use the words above

    drafts = TemplateVersion.objects.filter(tenant_id=tenant_id, template_id=models.OuterRef("id"), status="draft")
    rows = Template.objects.filter(tenant_id=tenant_id).select_related("current")
    return rows.annotate(draft=models.Subquery(drafts.values("number")[:1]))
