"""Messages to an address, whoever it belonged to. The address is asked for and not kept: only digests are compared."""

from contextlib import suppress

from django.db.models import Q

from chimeway_py.errors import Invalid, fault
from chimeway_py.text import is_storable
from deliveries.channels.base import Undeliverable
from deliveries.channels.push import one_text, subscription_of
from deliveries.channels.sms import phone_number
from deliveries.models import Delivery
from deliveries.querysets import DeliveryQuerySet
from deliveries.recipients.addresses import digest_of
from deliveries.recipients.reading import LONGEST_ADDRESS
from deliveries.states import ARRIVED, NOT_SENT, OWED


def deliveries_to(tenant_id: int, address: str) -> DeliveryQuerySet:
    """The tenant's deliveries to an address over any channel, sent or not. Raises `Invalid` for what is none.

    Each of the three groups of statuses has an index of its own, of which the last is what is owed and small.
    """
    text = address.strip()
    if not text or not is_storable(text, LONGEST_ADDRESS):
        raise Invalid("The address is not valid.", [fault("/address", "bad_address", "An address of one recipient.")])
    to_it = Q(recipient_digest__in=[digest_of(tenant_id, form) for form in _forms(text)])
    found = Q()
    for statuses in (ARRIVED, NOT_SENT, OWED):
        found |= to_it & ~Q(recipient_digest="") & Q(status__in=sorted(statuses))
    return Delivery.objects.for_tenant(tenant_id).filter(found)


def _forms(text: str) -> list[str]:
    """How the channels may have written it: as it stands, as a number in E.164, as the subscription of a browser."""
    forms = [text, phone_number(text)]
    with suppress(Undeliverable):
        forms.append(one_text(subscription_of(text)))
    return list(dict.fromkeys(filter(None, forms)))
