"""How an address may be written: the forms by which one is found again, whichever channel wrote it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from deliveries.channels.base import Undeliverable
from deliveries.channels.push import one_text, subscription_of
from deliveries.channels.sms import phone_number
from deliveries.recipients.addresses import digest_of


def digests_for(tenant_id: int, text: str) -> list[str]:
    """The digests under which an address may be kept: as it stands, as a number in E.164, as a subscription."""
    return [digest_of(tenant_id, form) for form in _forms(text)]


def digests_of_all(tenant_id: int, addresses: Mapping[str, Any]) -> list[str]:
    """Those of everything in the addresses of a recipient, which is by channel one address or a list of them."""
    found = {digest for text in _texts(addresses) for digest in digests_for(tenant_id, text)}
    return sorted(found)


def _texts(addresses: Mapping[str, Any]) -> Iterator[str]:
    for said in addresses.values():
        for one in said if isinstance(said, list) else [said]:
            if isinstance(one, str):
                yield one
                continue
            with suppress(Undeliverable):
                yield one_text(subscription_of(json.dumps(one)))


def _forms(text: str) -> list[str]:
    forms = [text, phone_number(text)]
    with suppress(Undeliverable):
        forms.append(one_text(subscription_of(text)))
    return list(dict.fromkeys(filter(None, forms)))
