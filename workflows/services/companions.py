"""Companions of a start: what a start call may say besides the run, for apps above to store in the same transaction.

An app registers one, so that nobody here knows what a recipient is.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar


class Companion(ABC):
    """One member of a start call."""

    name: ClassVar[str]
    scope: ClassVar[str]
    """What an API key needs to send it, besides the right to start runs."""
    description: ClassVar[str]

    @abstractmethod
    def faults(self, said: Any, path: str) -> Iterator[dict[str, str]]:
        """Every fault of what was said, at JSON Pointer `path`."""

    @abstractmethod
    def store(self, tenant_id: int, said: Mapping[str, Any], now: datetime) -> None:
        """Write what was said of each subject, in the transaction that starts the runs."""


_companions: dict[str, Companion] = {}


def register_companion(companion: Companion) -> None:
    """Make a companion known. Doing so again changes nothing."""
    _companions[companion.name] = companion


def companions() -> Mapping[str, Companion]:
    """All by name, read-only."""
    return MappingProxyType(_companions)
