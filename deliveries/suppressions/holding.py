"""What suppressions hold about a subject: forgotten whose they are, and exported. They go on withholding."""

from collections.abc import Iterator

from django.db.models import Q

from deliveries.models import Delivery, Suppression
from deliveries.suppressions.finding import about_subject
from signals_app.subjects.paging import in_pages
from signals_app.subjects.registry import Erasure, Line


def forget_whose(erasure: Erasure) -> None:
    """Leave nothing but a keyed digest. Call it before deliveries and the recipient are forgotten, which lead to it."""
    sent = Delivery.objects.for_tenant(erasure.tenant_id).filter(subject=erasure.subject).exclude(recipient_digest="")
    digests = sent.order_by().values_list("recipient_digest", flat=True).distinct()
    about = about_subject(erasure.tenant_id, erasure.subject) | Q(recipient_digest__in=list(digests))
    rows = Suppression.objects.filter(about, tenant_id=erasure.tenant_id)
    nobody = {"subject": "", "recipient_masked": "", "delivery": None, "lifted_why": ""}
    erasure.count("suppressions", rows.update(**nobody))


def export_of(tenant_id: int, subject: str) -> Iterator[Line]:
    """A line for each, with the address masked."""
    for row in in_pages(Suppression.objects.filter(about_subject(tenant_id, subject)), tenant_id):
        times = {name: getattr(row, name) for name in ("bounced_at", "complained_at", "lifted_at")}
        yield {
            "kind": "suppression",
            "id": str(row.public_id),
            "channel": row.channel,
            "recipient": row.recipient_masked,
            **{name: at.isoformat() if at else None for name, at in times.items()},
        }
