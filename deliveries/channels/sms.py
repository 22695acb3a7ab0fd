"""Short messages to phones, through the tenant's providers."""

import re
from collections.abc import Mapping
from typing import Any

from deliveries.channels.base import Undeliverable
from deliveries.channels.provided import PROVIDERS, ProvidedChannel
from workflows.steps.sources import SOURCE, Facts, text_of

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_WRITTEN = str.maketrans("", "", " -().\u00a0")


class SmsChannel(ProvidedChannel):
    """Sends to the number that `to` names, `data.phone` unless the step says otherwise."""

    name = "sms"
    required = ("template",)
    heeds_bounces = True
    schema = {"to": SOURCE, "providers": PROVIDERS}
    address = "One number with its country, such as +4366012345678."

    def is_address(self, address: Any) -> bool:
        """One number, however it is written."""
        return isinstance(address, str) and bool(phone_number(address.strip()))

    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """One number as E.164 writes it. Raises `Undeliverable`."""
        written = text_of(step.get("to", "data.phone"), facts)
        if not written.translate(_WRITTEN):
            raise Undeliverable("no_recipient")
        number = phone_number(written)
        if not number:
            raise Undeliverable("invalid_address")
        return number


def phone_number(written: str) -> str:
    """A number as E.164 writes it; empty for what is none."""
    number = written.translate(_WRITTEN)
    return number if E164.fullmatch(number) else ""
