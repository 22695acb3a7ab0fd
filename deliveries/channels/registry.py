"""The channels this process knows, by name."""

from collections.abc import Mapping
from types import MappingProxyType

from deliveries.channels.base import Channel
from deliveries.channels.email import EmailChannel
from deliveries.channels.in_app import InAppChannel
from deliveries.channels.webhook import WebhookChannel

_channels: dict[str, Channel] = {
    channel.name: channel for channel in (InAppChannel(), EmailChannel(), WebhookChannel())
}


def channel(name: str) -> Channel:
    """The channel of that name. Raises KeyError when there is none."""
    return _channels[name]


def channels() -> Mapping[str, Channel]:
    """All channels by name, read-only."""
    return MappingProxyType(_channels)
