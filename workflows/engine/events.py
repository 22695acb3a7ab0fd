"""What can happen to a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workflows.definitions.document import Step
from workflows.engine.facts import Answer, SignalFacts
from workflows.states import Cause


@dataclass(frozen=True, slots=True)
class Begin:
    """A pending run is advanced for the first time."""

    cause: Cause = Cause.TRIGGER
    cause_ref: str = ""


@dataclass(frozen=True, slots=True)
class SignalArrived:
    """A signal found this run by index. The engine looks at the whole match again."""

    signal: SignalFacts


@dataclass(frozen=True, slots=True)
class EnterAgain:
    """A run that stands before a step of an unknown kind is taken up by a worker that may know it."""


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The clock of the open wait has passed."""


@dataclass(frozen=True, slots=True)
class DeadlinePassed:
    """The clock of the run has passed."""


@dataclass(frozen=True, slots=True)
class StepSettled:
    """The work of a step has an outcome; also a later outcome of an earlier step, such as a bounce."""

    step: str
    visit: int
    outcome: str
    cause_ref: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    cause: Cause = Cause.STEP
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class StepRests:
    """The step has planned its work so that no worker takes it up: the run stays there, for a reason of the kind."""

    step: str
    visit: int
    reason: str
    cause_ref: str
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StepFailed:
    """The work of a step must not be tried again and no outcome can be told: the run fails, saying why."""

    step: str
    visit: int
    reason: str
    cause_ref: str = ""


@dataclass(frozen=True, slots=True)
class StepUnknown:
    """Nobody knows whether a step took effect, and it must not happen twice: the run stays until it is settled."""

    step: str
    visit: int
    cause_ref: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StepOwedAgain:
    """Somebody found out that a step whose end was unknown did not take effect: it is to be tried again."""

    step: str
    visit: int
    cause: Cause
    cause_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody ends the run. `sticky` is the id of a cancel that was asked for before the run was started.

    With `compensate`, what the run did is undone.
    """

    cause: Cause
    cause_ref: str
    reason: str
    sticky: str = ""
    compensate: bool = False


@dataclass(frozen=True, slots=True)
class CompensateAsked:
    """Somebody wants undone what an ended run did, or a failed compensation tried again."""

    cause: Cause
    cause_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class WakeAsked:
    """An operator ends the open wait as though its time had come."""

    cause: Cause
    cause_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """Somebody says yes or no to the open approval. `payload` is the address of what else they said, or empty."""

    approved: bool
    actor: str
    cause: Cause
    cause_ref: str
    payload: str = ""


@dataclass(frozen=True, slots=True)
class ReminderDue:
    """The open approval has been open for as long as it said to wait before reminding."""


@dataclass(frozen=True, slots=True)
class PauseAsked:
    """Somebody holds the run where it stands, until a time or until it is resumed."""

    cause: Cause
    cause_ref: str
    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class HeldBySwitch:
    """Something is about to happen to a run whose definition is switched off: it is held first, until that is over."""

    cause: Cause
    cause_ref: str
    reason: str


@dataclass(frozen=True, slots=True)
class VersionChanged:
    """Somebody moves the run to another version of its definition, on which its row stands already.

    `left` is the step of the old version where it waits, `step` that of the new one; None for a run that has not begun.
    `early` are signals that came before and that only the new version listens for.
    """

    cause: Cause
    cause_ref: str
    reason: str
    version_from: int
    version_to: int
    left: Step | None = None
    step: str | None = None
    opens_anew: bool = False
    due: str = "keep"
    early: tuple[SignalFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class TimesChanged:
    """Somebody moves the deadline of a run, or the end of its pause. What `changes` leaves out keeps its value."""

    cause: Cause
    cause_ref: str
    reason: str
    changes: Mapping[str, datetime | None]


@dataclass(frozen=True, slots=True)
class ResumeAsked:
    """Somebody lets a paused run go on; with the cause `timer`, the time that the pause was given is over."""

    cause: Cause
    cause_ref: str
    reason: str = ""


Event = (
    Begin
    | EnterAgain
    | SignalArrived
    | TimerFired
    | DeadlinePassed
    | StepSettled
    | StepRests
    | StepFailed
    | StepUnknown
    | StepOwedAgain
    | CancelAsked
    | CompensateAsked
    | WakeAsked
    | ApprovalDecided
    | ReminderDue
    | PauseAsked
    | HeldBySwitch
    | VersionChanged
    | TimesChanged
    | ResumeAsked
)

IN_SPITE_OF_SWITCH = (CancelAsked, DeadlinePassed, PauseAsked, HeldBySwitch, TimesChanged)
"""What happens to a run although its definition is switched off: nothing of it makes the run go on."""
