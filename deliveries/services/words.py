"""Which words a delivery is made of: fixed with its first try."""

from collections.abc import Mapping
from typing import Any

from deliveries.models import Delivery
from deliveries.wording import Asked, Wording
from workflows.steps.sources import Facts

TEST_RUNS = "chimeway_template_test"
COALESCED = "_coalesced"
"""Where the data of a test run say how many messages it is to stand for."""


def asked_by(delivery: Delivery, step: Mapping[str, Any]) -> Asked:
    """The words that a delivery is to be made of: those of its first try, so that every try says the same."""
    version = delivery.template_version or step.get("template_version")
    return Asked(delivery.channel, delivery.template, version, delivery.layout_version)


def note_words(delivery: Delivery, wording: Wording, locale: str) -> None:
    """Keep on the delivery which words it is made of."""
    delivery.template_version = wording.number
    delivery.layout_version = wording.layout.number if wording.layout else None
    delivery.locale = wording.in_locale(locale)[0]


def coalesced_facts(joined: int, facts: Facts) -> dict[str, Any]:
    """What a template sees under `coalesced`: how many messages this one stands for; of a test what its sample says."""
    said = facts["data"].get(COALESCED, {}) if facts["run"]["definition"] == TEST_RUNS else {}
    return {"count": joined, **said}
