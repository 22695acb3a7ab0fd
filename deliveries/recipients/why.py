"""One sentence for every delivery: what became of it and why. Pure; it names rules, never a value."""

from collections.abc import Callable, Mapping
from datetime import datetime

from chimeway_py.text import utc_minute
from deliveries.models import Delivery
from deliveries.states import DeliveryStatus, Layer

_BY: Mapping[str, str] = {
    Layer.RECIPIENT: "the recipient",
    Layer.TENANT: "the tenant's default",
    Layer.STEP: "the step",
    Layer.REQUIRED: "the required category",
    Layer.NOBODY: "nobody",
    Layer.PROVIDER: "the provider",
}
_NO_ADDRESS = "they have no address for this channel"
_NOT_SENT: Mapping[str, str] = {
    "complained_before": "whoever has this address complained about a message before",
    "endpoint_disabled": "the endpoint is disabled",
    "no_recipient": _NO_ADDRESS,
    "run_ended": "its run had ended",
}
_BOUNCED_BEFORE: Mapping[str, str] = {
    "email": "mail to this address bounced before",
    "sms": "a message to this number came back before",
    "push": "none of their browsers takes messages any more",
}
_NOT_POSSIBLE: Mapping[str, str] = {
    "no_recipient": _NO_ADDRESS,
    "run_data_gone": "what its run worked with was erased, or is not kept any more",
}


def why(delivery: Delivery, now: datetime) -> str:
    """`Not sent: the recipient said no to category news.`, and the like."""
    tell = _OF_STATUS.get(DeliveryStatus(delivery.status))
    said = tell(delivery, now) if tell is not None else f"It is {delivery.status}."
    if delivery.stands_in_for is not None:
        return f"{said} It takes the place of the message that it was joined to, which did not go out."
    return said if delivery.resend_of_id is None else f"{said} Sent again by hand: {delivery.resend_reason}."


def _planned(delivery: Delivery, now: datetime) -> str:
    if delivery.held_until is not None and delivery.held_until > now:
        return f"Held back until {_at(delivery.held_until)} by {_by(delivery)}: {delivery.decided_rule}."
    if delivery.error:
        return f"Not sent yet: the last try ended with {delivery.error}, and it is tried again."
    return "Not sent yet: a worker takes it up next."


def _delivered(delivery: Delivery, now: datetime) -> str:
    because = f", because {delivery.decided_rule}" if delivery.decided_by == Layer.REQUIRED else ""
    return f"Sent at {_at(delivery.delivered_at)}{because}."


def _suppressed(delivery: Delivery, now: datetime) -> str:
    if delivery.error == "preference":
        return f"Not sent: {_by(delivery)} said {delivery.decided_rule}."
    if delivery.error == "coalesced":
        return f"Not sent by itself: it was joined to another message by {delivery.decided_rule}."
    if delivery.error in ("quiet_hours", "window", "cap"):
        return f"Not sent, because of {_by(delivery)}: {delivery.decided_rule}."
    if delivery.error == "bounced_before":
        told = _BOUNCED_BEFORE.get(delivery.channel, "a message to this address came back before")
        return f"Not sent: {told}."
    return f"Not sent: {_NOT_SENT.get(delivery.error, delivery.error or 'it was suppressed')}."


def _failed(delivery: Delivery, now: datetime) -> str:
    if delivery.may_have_arrived:
        said = delivery.error or "no code"
        return f"It may or may not have arrived: no try was answered with yes ({said}), and one may have been taken."
    tries = "every try failed" if delivery.status == DeliveryStatus.RETRIES_EXHAUSTED else "it could not be sent"
    if because := _NOT_POSSIBLE.get(delivery.error):
        return f"Failed: {because}."
    return f"Failed: {tries} ({delivery.error or 'no code'})."


def _bounced(delivery: Delivery) -> str:
    code = f" ({delivery.error})" if delivery.error else ""
    if delivery.delivered_at is None:
        return f"It came back at {_at(delivery.bounced_at)}{code}; no try was answered with yes."
    return f"Sent at {_at(delivery.delivered_at)}, and it came back at {_at(delivery.bounced_at)}{code}."


_OF_STATUS: Mapping[DeliveryStatus, Callable[[Delivery, datetime], str]] = {
    DeliveryStatus.PLANNED: _planned,
    DeliveryStatus.SENDING: lambda delivery, now: "It is being sent.",
    DeliveryStatus.DELIVERED: _delivered,
    DeliveryStatus.SUPPRESSED: _suppressed,
    DeliveryStatus.TEMPORARY_FAILURE: _failed,
    DeliveryStatus.RETRIES_EXHAUSTED: _failed,
    DeliveryStatus.PERMANENT_FAILURE: _failed,
    DeliveryStatus.BOUNCED: lambda delivery, now: _bounced(delivery),
    DeliveryStatus.UNKNOWN: lambda delivery, now: "It may or may not have arrived: nobody saw the end of the try.",
    DeliveryStatus.CANCELLED: lambda delivery, now: "Not sent: its run ended before.",
}


def _by(delivery: Delivery) -> str:
    return _BY.get(delivery.decided_by, "a rule")


def _at(when: datetime | None) -> str:
    return utc_minute(when) if when is not None else "an unknown time"
