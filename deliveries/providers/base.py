"""What a kind of provider is: the keys of its configuration, those that are secret, and how it sends."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, ClassVar

from chimeway_py.errors import NotFound, fault
from deliveries.channels.base import Message
from deliveries.providers.reports import Incoming, Report
from workflows.steps.base import Fault, Outcome

TEXT = {"type": "string", "minLength": 1, "maxLength": 4096}
LINE = {"type": "string", "pattern": r"^[ -~]+(?!\n)$", "maxLength": 4096}
"""What a protocol of plain ASCII can say: no line break, not even at the end."""
TOKEN = {"type": "string", "pattern": r"^[!-~]+(?!\n)$", "maxLength": 4096}
"""The same without blanks: what stands in a header."""
URL = {"type": "string", "pattern": r"^https?://[!-~]+(?!\n)$", "maxLength": 2000}


@dataclass(frozen=True, slots=True)
class Account:
    """A tenant's account with a provider, opened."""

    id: int
    public_id: str
    key: str
    config: Mapping[str, Any]
    credentials: Mapping[str, str] = field(repr=False)
    failures: int = 0


class ProviderKind(ABC):
    """A small object, registered under its name."""

    name: ClassVar[str]
    channel: ClassVar[str]
    config: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema properties of what everybody may see."""
    required: ClassVar[tuple[str, ...]] = ()
    credentials: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema properties of what is sealed and never shown again."""
    secret: ClassVar[tuple[str, ...]] = ()
    """The credentials that it cannot do without."""
    needs: ClassVar[Mapping[str, str]] = {}
    """Modules that have to be installed, each with the extra of this project that brings it."""

    def missing_extra(self) -> str:
        """The extra that has to be installed first, or nothing."""
        return next((extra for module, extra in self.needs.items() if find_spec(module) is None), "")

    def check(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> Iterator[Fault]:
        """Yield what the schema cannot see; paths begin with /config or /credentials."""
        yield from ()

    def made(self, config: Mapping[str, Any], credentials: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
        """Configuration and credentials with what is made here and not brought, such as a pair of keys."""
        return dict(config), dict(credentials)

    @abstractmethod
    def send(self, message: Message, account: Account) -> Outcome:
        """Try once, outside any transaction. Every failure that can be expected is an outcome.

        An outcome that is `retryable` and not `maybe_done` lets the next provider try at once. `provider_ref` in its
        context is the provider's own name for the message, by which it is known again when the provider reports.
        """

    def reports(self, account: Account, incoming: Incoming) -> list[Report]:
        """What a post of the provider tells, once it is verified. Raises `BadSignature`, and `Invalid` for the rest.

        Raises `NotFound` when the kind takes no reports, or the account lacks what verifies them.
        """
        raise NotFound


def refused_address(place: str, reason: str) -> Fault:
    """The fault of an address that we do not call."""
    return fault(place, "address_refused", f"We do not call this address: {reason}.")
