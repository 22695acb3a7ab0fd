"""What a channel is: the keys a step needs for it, whom it reaches, and how it sends."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from chimeway_py.errors import ChimewayError
from chimeway_py.rendering import Rendered
from deliveries.states import DeliveryStatus
from workflows.steps.base import CheckContext, Fault, Outcome
from workflows.steps.sources import Facts


class Undeliverable(ChimewayError):
    """The message cannot go out, and another try would not change that. `word` is the outcome."""

    code = "undeliverable"

    def __init__(self, error: str, word: str = DeliveryStatus.PERMANENT_FAILURE) -> None:
        self.word, self.error = word, error
        super().__init__(error)

    def as_outcome(self) -> Outcome:
        """The outcome that the run is told."""
        return Outcome(self.word, self.error)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, ready to go out. `key` is its effect key: the same for every try, so receivers see repeats."""

    tenant_id: int
    delivery_id: str
    key: str
    attempt: int
    recipient: str
    content: Rendered
    step: Mapping[str, Any]
    facts: Facts
    planned_at: str
    headers: Mapping[str, str] = field(default_factory=dict)
    """What a mail says besides, such as how to unsubscribe."""


class Channel(ABC):
    """A small object, registered under its name."""

    name: ClassVar[str]
    schema: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema properties of the step's keys for this channel, besides `template`, `retry` and `at_most_once`."""
    required: ClassVar[tuple[str, ...]] = ()
    heeds_bounces: ClassVar[bool] = False
    """True when a recipient that bounced is not tried again until someone resends."""
    masks_recipient: ClassVar[bool] = True
    """False when the recipient is a name of the tenant's own making, such as an endpoint's key."""
    settles_at_once: ClassVar[bool] = False
    """True when a delivery is nothing but rows, written in the transaction that plans it."""

    address: ClassVar[str] = ""
    """What the address of a recipient looks like, for whoever gave another one."""

    def is_address(self, address: Any) -> bool:
        """Whether a recipient may have this as their address here: text, an object, or a list of them."""
        return True

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Yield what the schema cannot see. `path` is the JSON Pointer of the step."""
        yield from ()

    @abstractmethod
    def recipient(self, step: Mapping[str, Any], facts: Facts) -> str:
        """Whom the message is for: an address, an inbox, an endpoint's key. Raises `Undeliverable`."""

    def send(self, message: Message) -> Outcome:
        """Send it, outside any transaction. Every failure that can be expected is an outcome."""
        raise NotImplementedError(f"{self.name} settles at once")
