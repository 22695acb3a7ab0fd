"""What the engine is told, and what it answers. Plain values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from workflows.definitions.document import Target
from workflows.states import TERMINAL, Cause, Reason, RunState

STEPS = "@steps."
"""How the names begin under which a run's data hold what its steps collected."""


def roots_of(data: Any) -> dict[str, Any]:
    """{data, steps}: the data of a run as paths and templates see it, and apart from it what its steps collected."""
    collected = {name: value for name, value in (data or {}).items() if name.startswith(STEPS)}
    if not collected:
        return {"data": data, "steps": {}}
    plain = {name: value for name, value in data.items() if name not in collected}
    return {"data": plain, "steps": {name.removeprefix(STEPS): value for name, value in collected.items()}}


@dataclass(frozen=True, slots=True)
class SignalFacts:
    """A signal as the engine judges it. `data` is its payload where a condition asks for it."""

    id: int
    public_id: str
    name: str
    subject: str
    correlation: Mapping[str, str]
    received_at: datetime
    data: Any = None

    def as_tree(self) -> dict[str, Any]:
        """What conditions see under `signal`."""
        return {"name": self.name, "subject": self.subject, "correlation": self.correlation, "data": self.data}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a step brought back. Traces keep the name and the address of the payload, never the value."""

    name: str
    payload: bytes
    value: Mapping[str, Any]

    def as_context(self) -> dict[str, Any]:
        """What a transition says of it."""
        return {"answer": {"name": self.name, "payload": self.payload.hex()}}


@dataclass(frozen=True, slots=True)
class BoundRule:
    """A signal rule of a wait with its match values filled in. `match` None means: the run's subject."""

    name: str
    match: Mapping[str, str] | None
    when: Mapping[str, Any] | None
    then: Target


@dataclass(frozen=True, slots=True)
class WaitFacts:
    """An open wait, or one the engine asks to open."""

    step: str
    visit: int
    rules: tuple[BoundRule, ...]
    opened_at: datetime
    due_at: datetime | None
    on_timeout: Target
    look_back_from: datetime | None
    id: int | None = None
    routes: Mapping[str, Target] = field(default_factory=dict)  # of an approval: where `approve` and `reject` lead
    actors: tuple[str, ...] = ()  # of an approval: who may decide; empty: anybody
    remind_at: datetime | None = None


@dataclass(slots=True)
class RunFacts:
    """Where a run stands. `data` is its start data where the definition needs it.

    `buffered` its unused early signals.
    """

    public_id: str
    subject: str
    correlation: Mapping[str, str]
    state: str
    step: str
    visits: Mapping[str, int]
    began_at: datetime
    step_entered_at: datetime
    deadline_at: datetime | None
    time_zone: str = "UTC"
    data: Any = None
    wait: WaitFacts | None = None
    begins_at: datetime | None = None  # of a run that has not begun: when it does
    suspended_until: datetime | None = None  # of a paused run: when it goes on by itself
    buffered: tuple[SignalFacts, ...] = ()
    pending_signals: int = 0
    status_reason: str = ""
    status_context: Mapping[str, Any] = field(default_factory=dict)
    terminal_reason: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended."""
        return self.state in TERMINAL

    def copy(self) -> "RunFacts":
        """The same facts, to be changed. (`dataclasses.replace` takes three times as long, and every event copies.)"""
        return RunFacts(*_run_values(self))

    def as_tree(self) -> dict[str, Any]:
        """What conditions and paths see under `run`."""
        return {"id": self.public_id, "subject": self.subject, "correlation": self.correlation, "step": self.step}


_run_values = attrgetter(*RunFacts.__slots__)


@dataclass(frozen=True, slots=True)
class Move:
    """One transition to be written."""

    from_state: str
    to_state: RunState
    step: str
    visit: int
    cause: Cause
    cause_ref: str
    reason: Reason
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Go:
    """A step's answer on entry: go on to the target at once."""

    target: Target
    reason: Reason
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Park:
    """A step's answer on entry: wait."""

    wait: WaitFacts


@dataclass(frozen=True, slots=True)
class Owe:
    """A step's answer on entry: its work happens outside, and the run stays until it is settled."""


Entered = Go | Park | Owe


@dataclass(frozen=True, slots=True)
class Owed:
    """A step whose work must be planned in this transaction."""

    step: str
    visit: int


@dataclass(frozen=True, slots=True)
class Undo:
    """What an ended run did is to be undone, as somebody or a rule said.

    With `after_all` only what became known since: the context says of a visit that it took effect after all.
    """

    cause: Cause
    cause_ref: str
    why: str = ""
    after_all: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """What a signal meant to the run."""

    verdict: str
    reason: str
    wait_step: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Decision:
    """The run as it will stand, and everything that must be written in the same transaction."""

    run: RunFacts
    moves: list[Move] = field(default_factory=list)
    opened: list[tuple[WaitFacts, str]] = field(
        default_factory=list
    )  # with the outcome when it closed at once, else ""
    closed: list[tuple[WaitFacts, str]] = field(default_factory=list)
    reminded: list[WaitFacts] = field(default_factory=list)  # still open, and told that they are
    owed: list[Owed] = field(default_factory=list)
    used: list[tuple[SignalFacts, Judged]] = field(default_factory=list)
    answers: list[tuple[str, int, Answer]] = field(default_factory=list)  # with the step and the visit
    judged: Judged | None = None
    undo: Undo | None = None
