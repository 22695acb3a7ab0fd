"""Chats that take messages at an address of their own, which is the whole secret."""

from collections.abc import Iterator, Mapping
from typing import Any

from deliveries.providers.base import URL, ProviderKind
from deliveries.providers.calling import url_faults
from workflows.steps.base import Fault


class HookKind(ProviderKind):
    """A kind that is an address and nothing more."""

    channel = "chat"
    credentials = {"url": URL}
    secret = ("url",)

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """An address that we do not call."""
        yield from url_faults("/credentials/url", credentials["url"])
