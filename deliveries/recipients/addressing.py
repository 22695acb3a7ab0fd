"""Whom a delivery is for, and what its step, its template and its channel see of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deliveries.channels.base import Channel, Undeliverable
from deliveries.models import Recipient
from deliveries.states import DeliveryStatus
from workflows.steps.base import Outcome
from workflows.steps.sources import Facts, text_of

NO_RECIPIENT = "no_recipient"


@dataclass(frozen=True, slots=True)
class Addressed:
    """A step as its channel reads it, with `to` filled in, and the facts with `recipient` among them."""

    step: Mapping[str, Any]
    facts: Facts


def whom(step: Mapping[str, Any], facts: Facts) -> str:
    """The external id of the recipient: whom the step names, whose inbox it fills, or the subject of the run."""
    if "recipient" in step:
        return text_of(step["recipient"], facts)
    if step.get("channel") == "in_app" and "to" in step:
        return text_of(step["to"], facts)
    return str(facts["run"]["subject"])


def addressed(step: Mapping[str, Any], facts: Facts, channel: Channel, recipient: Recipient | None) -> Addressed:
    """The step and the facts for this recipient, known or not. What the step itself says of the address counts first.

    Raises `Undeliverable` when the step names a recipient and the run has none there.
    """
    external_id = whom(step, facts)
    if "recipient" in step and not external_id:
        raise Undeliverable(NO_RECIPIENT)
    to = _address(channel, external_id, recipient, "recipient" in step)
    if to is not None and "to" not in step and "to" in channel.schema:
        step = {**step, "to": {"const": to}}
    return Addressed(step, {**facts, "recipient": recipient_tree(external_id, recipient)})


def refusal(step: Mapping[str, Any], refused: Undeliverable) -> Outcome:
    """The outcome of a message that cannot go out; of one without an address, as its step says."""
    if refused.error == NO_RECIPIENT and step.get("without_address") == "skip":
        return Outcome(DeliveryStatus.SUPPRESSED, NO_RECIPIENT)
    return refused.as_outcome()


def recipient_tree(external_id: str, recipient: Recipient | None) -> dict[str, Any]:
    """What templates and conditions see under `recipient`."""
    if recipient is None:
        return {"id": external_id, "addresses": {}, "attributes": {}, "zone": "", "locale": ""}
    return {"id": external_id, **recipient.person, "zone": recipient.zone, "locale": recipient.locale}


def _address(channel: Channel, external_id: str, recipient: Recipient | None, is_named: bool) -> Any:
    """Where the channel reaches them. Whoever the step names is never sent to at an address of the run's subject."""
    if channel.name == "in_app":
        return external_id
    known = recipient.person["addresses"].get(channel.name) if recipient is not None else None
    return "" if known is None and is_named else known
