"""Push messages to browsers, through the tenant's providers."""

import json
from collections.abc import Mapping
from typing import Any

from chimeway_py.outbound.guard import AddressRefused, check_url
from deliveries.channels.base import Undeliverable
from deliveries.channels.provided import PROVIDERS, ProvidedChannel
from workflows.steps.sources import SOURCE, Facts, value_of

LONGEST = 4000


class PushChannel(ProvidedChannel):
    """Sends to the browser whose subscription `to` names, `data.push` unless the step says otherwise."""

    name = "push"
    required = ("template",)
    heeds_bounces = True
    schema = {"to": SOURCE, "providers": PROVIDERS}

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """The subscription as one text, the same for the same browser. Raises `Undeliverable`."""
        found = value_of(step.get("to", "data.push"), facts)
        if not found:
            raise Undeliverable("no_recipient")
        text = found if isinstance(found, str) else json.dumps(found)
        return one_text(subscription_of(text))


def one_text(subscription: Mapping[str, Any]) -> str:
    """A subscription as it is addressed: the same text for the same browser."""
    return json.dumps(subscription, sort_keys=True, separators=(",", ":"))


def subscription_of(text: str) -> dict[str, Any]:
    """What `PushSubscription.toJSON()` gave, without what nobody needs. Raises `Undeliverable`."""
    try:
        said = json.loads(text) if len(text) <= LONGEST else None
        endpoint, keys = said["endpoint"], said["keys"]  # type: ignore[index]
        p256dh, auth = keys["p256dh"], keys["auth"]
        check_url(endpoint)
    except (ValueError, LookupError, TypeError, AttributeError, AddressRefused):
        raise Undeliverable("invalid_address") from None
    if not all(isinstance(one, str) and one.isascii() for one in (endpoint, p256dh, auth)):
        raise Undeliverable("invalid_address")
    return {"endpoint": endpoint, "keys": {"p256dh": p256dh, "auth": auth}}
