"""Who holds something about subjects. Each app with such rows registers a holder when it starts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Line = Mapping[str, Any]
"""One line of an export: `kind` says what it is."""


@dataclass(slots=True)
class Erasure:
    """One erasure under way. Holders note here what others need, and what they did."""

    tenant_id: int
    subject: str
    pseudonym: str  # what rows that stay name instead of the subject
    cause: str  # api or operator
    cause_ref: str
    now: datetime
    addresses: set[bytes] = field(default_factory=set)  # payloads that the subject's rows named
    signals: set[int] = field(default_factory=set)  # signals without a subject that were about it all the same
    runs: set[int] = field(default_factory=set)
    in_flight: list[str] = field(default_factory=list)  # attempts that a worker is making right now
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, number: int) -> None:
        """Add to what the record of the erasure will say."""
        self.counts[what] = self.counts.get(what, 0) + number


class SubjectHolder:
    """Rows about subjects. Every call runs in the tenant's scope."""

    def find(self, erasure: Erasure) -> None:
        """Note, before anything is locked, which rows of others are about the subject."""

    def erase(self, erasure: Erasure) -> None:
        """Make what is held about the subject unreadable. Holders are called in the order of all locks."""

    def export(self, tenant_id: int, subject: str) -> Iterator[Line]:
        """What is held, a line each. A line may name payloads: `payload` is an address in hex."""
        yield from ()


_holders: list[SubjectHolder] = []


def register(holder: SubjectHolder) -> None:
    """Make a holder known. Apps start in the order of the locks: signals, runs, deliveries."""
    if type(holder) not in map(type, _holders):
        _holders.append(holder)


def holders() -> list[SubjectHolder]:
    """Every holder, in the order of the locks."""
    return list(_holders)
