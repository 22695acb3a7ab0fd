"""Whose an address is, and what went to it. The address is asked for and not kept: only digests are compared."""

from django.db.models import Q, QuerySet

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from deliveries.models import Delivery, Recipient
from deliveries.querysets import DeliveryQuerySet
from deliveries.recipients.forms import digests_for
from deliveries.recipients.reading import LONGEST_ADDRESS
from deliveries.states import ARRIVED, NOT_SENT, OWED


def deliveries_to(tenant_id: int, address: str) -> DeliveryQuerySet:
    """The tenant's deliveries to an address over any channel, sent or not. Raises `Invalid` for what is none.

    Each of the three groups of statuses has an index of its own, of which the last is what is owed and small.
    """
    to_it = Q(recipient_digest__in=digests_for(tenant_id, checked_address(address)))
    found = Q()
    for statuses in (ARRIVED, NOT_SENT, OWED):
        found |= to_it & ~Q(recipient_digest="") & Q(status__in=sorted(statuses))
    return Delivery.objects.for_tenant(tenant_id).filter(found)


def recipients_at(tenant_id: int, address: str) -> "QuerySet[Recipient]":
    """The tenant's recipients who have an address now, on any channel. Raises `Invalid` for what is none."""
    found = Q()
    for digest in digests_for(tenant_id, checked_address(address)):
        found |= Q(address_digests__contains=[digest])
    return Recipient.objects.filter(found, tenant_id=tenant_id)


def checked_address(address: str) -> str:
    """The address without blanks around it. Raises `Invalid` for what is none."""
    text = address.strip()
    if not text or not is_storable(text, LONGEST_ADDRESS):
        raise Invalid("The address is not valid.", [fault("/address", "bad_address", "An address of one recipient.")])
    return text
