"""The channels this process knows, by name: every file of this folder, and what `CHANNEL_MODULES` adds."""

from collections.abc import Mapping
from types import MappingProxyType

from deliveries import channels as package
from deliveries.channels.base import Channel
from deliveries.plugins import instances_of

_found: list[Channel] = instances_of(Channel, package)  # type: ignore[type-abstract]
_channels: dict[str, Channel] = {channel.name: channel for channel in _found}


def channel(name: str) -> Channel:
    """The channel of that name. Raises KeyError when there is none."""
    return _channels[name]


def channels() -> Mapping[str, Channel]:
    """All channels by name, read-only."""
    return MappingProxyType(_channels)
