"""Messages into a team's chat, through the tenant's providers."""

from collections.abc import Mapping
from typing import Any

from chimeway_py.text import is_storable
from deliveries.channels.base import Undeliverable
from deliveries.channels.provided import PROVIDERS, ProvidedChannel
from workflows.steps.sources import SOURCE, Facts, text_of

LONGEST = 200


class ChatChannel(ProvidedChannel):
    """Posts where the provider's account leads, or to the channel or person that `to` names, if it can choose."""

    name = "chat"
    required = ("template",)
    schema = {"to": SOURCE, "providers": PROVIDERS}
    address = "One channel or person, as the provider names them."

    def is_address(self, address: Any) -> bool:
        """One name."""
        return isinstance(address, str) and is_storable(address, LONGEST) and address.isprintable()

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """What `to` leads to; empty without one. Raises `Undeliverable`."""
        if "to" not in step:
            return ""
        found = text_of(step["to"], facts)
        if not found:
            raise Undeliverable("no_recipient")
        if not is_storable(found, LONGEST) or not found.isprintable():
            raise Undeliverable("invalid_address")
        return found
