"""Finding suppressions: by id, by address, by recipient."""

from uuid import UUID

from django.db.models import Q, QuerySet

from deliveries.models import Recipient, Suppression
from deliveries.recipients.forms import digests_for
from deliveries.recipients.searching import checked_address
from deliveries.suppressions.reading import SuppressionNotFound
from tenants.scope import tenant_scope


def find_suppression(tenant_id: int, public_id: UUID) -> Suppression:
    """One of them, also a lifted one. Raises `SuppressionNotFound`."""
    with tenant_scope(tenant_id):
        row = Suppression.objects.filter(tenant_id=tenant_id, public_id=public_id).first()
        if row is None:
            raise SuppressionNotFound
        return row


def suppressions_at(tenant_id: int, address: str) -> "QuerySet[Suppression]":
    """Those of an address, on any channel, however it is written. Raises `Invalid` for what is none."""
    digests = digests_for(tenant_id, checked_address(address))
    return Suppression.objects.filter(tenant_id=tenant_id, recipient_digest__in=digests)


def about_subject(tenant_id: int, subject: str) -> Q:
    """Those that came from a message to somebody, and those of the addresses that they have now."""
    stored = Recipient.objects.filter(tenant_id=tenant_id, external_id=subject)
    digests = [digest for own in stored.values_list("address_digests", flat=True) for digest in own]
    return Q(subject=subject) | Q(recipient_digest__in=digests)
