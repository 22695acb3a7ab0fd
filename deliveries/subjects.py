"""What deliveries and inboxes hold about a subject: erased, and exported."""

from collections.abc import Iterator

from django.db.models import Q, QuerySet

from deliveries.channels.registry import channel, channels
from deliveries.models import Delivery, InboxItem
from deliveries.suppressions.holding import export_of, forget_whose
from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line, SubjectHolder


class DeliveryHolder(SubjectHolder):
    """Messages of the subject's runs, to whomever, and messages to the subject, of whichever run."""

    def erase(self, erasure: Erasure) -> None:
        """Inbox items are emptied, addresses forgotten: their masked form and their digest.

        What bounced or complained goes on withholding, by a digest that leads to nobody any more.
        """
        tenant_id, runs = erasure.tenant_id, sorted(erasure.runs)
        about = Q(run_id__in=runs) | Q(subject=erasure.subject)
        mine = Delivery.objects.for_tenant(tenant_id)
        ids = list(mine.filter(about).locked().values_list("id", flat=True))
        forget_whose(erasure)
        items = InboxItem.objects.filter(Q(delivery_id__in=ids) | Q(subject=erasure.subject), tenant_id=tenant_id)
        erasure.count("inbox_items", items.filter(sealed__isnull=False).update(sealed=None))
        items.filter(subject=erasure.subject).update(subject=erasure.pseudonym)
        addressed = mine.filter(id__in=ids, channel__in=[name for name in channels() if channel(name).masks_recipient])
        addressed.update(recipient_digest="", recipient_masked="")
        mine.filter(id__in=ids, subject=erasure.subject).update(subject=erasure.pseudonym)
        erasure.count("deliveries", len(ids))

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """Deliveries, what the subject's inbox says, then which addresses are left alone."""
        rows = Delivery.objects.filter(Q(subject=subject) | Q(run__subject=subject, run__tenant_id=tenant_id))
        yield from map(_delivery_line, in_pages(rows.select_related("run"), tenant_id))
        inbox: QuerySet[InboxItem] = InboxItem.objects.filter(subject=subject)
        yield from map(_item_line, in_pages(inbox, tenant_id))
        yield from export_of(tenant_id, subject)


def _delivery_line(delivery: Delivery) -> Line:
    return {
        "kind": "delivery",
        "id": str(delivery.public_id),
        "run_id": str(delivery.run.public_id),
        "workflow": delivery.definition_key,
        "step": delivery.step_key,
        "channel": delivery.channel,
        "recipient": delivery.recipient_masked or delivery.subject,
        "status": delivery.status,
        "planned_at": delivery.planned_at.isoformat(),
        "delivered_at": delivery.delivered_at.isoformat() if delivery.delivered_at else None,
    }


def _item_line(item: InboxItem) -> Line:
    marks = {name: getattr(item, name) for name in ("seen_at", "read_at", "archived_at")}
    return {
        "kind": "inbox_item",
        "id": str(item.public_id),
        "run_id": str(item.run_public_id),
        **item.content,
        "created_at": item.created_at.isoformat(),
        **{name: at.isoformat() if at else None for name, at in marks.items()},
    }
