"""Which words a delivery is made of: fixed with its first try."""

from collections.abc import Mapping
from typing import Any

from deliveries.models import Delivery
from deliveries.wording import Asked, Wording


def asked_by(delivery: Delivery, step: Mapping[str, Any]) -> Asked:
    """The words that a delivery is to be made of: those of its first try, so that every try says the same."""
    version = delivery.template_version or step.get("template_version")
    return Asked(delivery.channel, delivery.template, version, delivery.layout_version)


def note_words(delivery: Delivery, wording: Wording, locale: str) -> None:
    """Keep on the delivery which words it is made of."""
    delivery.template_version = wording.number
    delivery.layout_version = wording.layout.number if wording.layout else None
    delivery.locale = wording.in_locale(locale)[0]
