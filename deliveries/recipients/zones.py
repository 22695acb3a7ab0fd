"""The time zones of recipients, for steps below that keep to them."""

from collections.abc import Iterable, Mapping

from deliveries.models import Recipient


def zones_on_file(tenant_id: int, subjects: Iterable[str]) -> Mapping[str, str]:
    """The zones of those recipients that have one. Needs the tenant's scope."""
    rows = Recipient.objects.filter(tenant_id=tenant_id, external_id__in=list(subjects)).exclude(zone="")
    return dict(rows.values_list("external_id", "zone"))
