"""Push messages to browsers, through the tenant's providers."""

import json
from collections.abc import Mapping
from typing import Any

from chimeway_py.outbound.guard import AddressRefused, check_url
from deliveries.channels.base import Undeliverable
from deliveries.channels.provided import PROVIDERS, ProvidedChannel
from deliveries.providers.push_encryption import is_browser
from workflows.steps.sources import SOURCE, Facts, value_of

LONGEST = 4000  # characters of one subscription
MOST = 20  # browsers of one person


class PushChannel(ProvidedChannel):
    """Sends to the browsers whose subscriptions `to` names, `data.push` unless the step says otherwise."""

    name = "push"
    required = ("template",)
    heeds_bounces = True
    schema = {"to": SOURCE, "providers": PROVIDERS}
    address = f"What PushSubscription.toJSON() gives, or a list of it for at most {MOST} browsers."

    def is_address(self, address: Any) -> bool:
        """A subscription that can be encrypted for, or several."""
        try:
            return all(is_browser(**one["keys"]) for one in subscriptions_of(_text(address)))
        except (Undeliverable, ValueError):
            return False

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """The subscriptions as one text, the same for the same browsers. Raises `Undeliverable`."""
        found = value_of(step.get("to", "data.push"), facts)
        if not found:
            raise Undeliverable("no_recipient")
        browsers = sorted(one_text(one) for one in subscriptions_of(_text(found)))
        return browsers[0] if len(browsers) == 1 else f"[{','.join(dict.fromkeys(browsers))}]"


def _text(found: Any) -> str:
    return found if isinstance(found, str) else json.dumps(found)


def one_text(subscription: Mapping[str, Any]) -> str:
    """A subscription as it is addressed: the same text for the same browser."""
    return json.dumps(subscription, sort_keys=True, separators=(",", ":"))


def subscriptions_of(text: str) -> list[dict[str, Any]]:
    """The browsers of one person. Raises `Undeliverable`."""
    try:
        said = json.loads(text) if len(text) <= LONGEST * MOST else None
    except (ValueError, RecursionError):
        raise Undeliverable("invalid_address") from None
    several = said if isinstance(said, list) else [said]
    if not 0 < len(several) <= MOST:
        raise Undeliverable("invalid_address")
    return [subscription_of(json.dumps(one)) for one in several]


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
