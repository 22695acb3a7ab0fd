"""The explanation of a run: one object, the same for REST, admin and the command line."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db.models import TextChoices

from workflows.explain.afterwards import Afterwards

Then = Mapping[str, Any]
"""Where a run goes: {step: key} or {state: completed|stopped|expired, reason: …}."""


class NextOn(TextChoices):
    """What may happen next to a run."""

    START = "start"
    SIGNAL = "signal"
    DECISION = "decision"  # of an approval
    REMINDER = "reminder"
    TIMER = "timer"
    ATTEMPT = "attempt"
    OUTCOME = "outcome"
    DEADLINE = "deadline"
    RESUME = "resume"  # a pause ends by itself
    COMPENSATION = "compensation"  # of an ended run
    ENGINE = "engine"  # the engine failed on the run and tries again


@dataclass(frozen=True, slots=True)
class Next:
    """One thing that may happen, where it leads, and at what time if that is known.

    `name` is the signal, the decision or the outcome; "" for an outcome means: any other.
    """

    on: NextOn
    then: Then
    at: datetime | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class AwaitedSignal:
    """A signal that ends the wait. `match` holds the values it must carry; None: it must be about the run's subject."""

    signal: str
    match: Mapping[str, str] | None
    when: Mapping[str, Any] | None
    then: Then


@dataclass(frozen=True, slots=True)
class AwaitedApproval:
    """A decision that ends the wait. `actors` may decide; empty: anybody. `remind_at` None: no reminder is to come."""

    actors: tuple[str, ...]
    on_approve: Then
    on_reject: Then
    remind_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The open wait. `due_at` None: no time ends it; `on_timeout` is then None, too. `approval` None: a plain wait."""

    step: str
    visit: int
    opened_at: datetime
    signals: tuple[AwaitedSignal, ...]
    due_at: datetime | None
    on_timeout: Then | None
    approval: AwaitedApproval | None = None


@dataclass(frozen=True, slots=True)
class InDigest:
    """The digest that the run rests in. `leads`: this run goes on with it, as things are now."""

    id: UUID
    position: int
    count: int
    closes_at: datetime
    leads: bool
    leader: UUID | None


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be asked for now, or why it would be refused."""

    name: str
    allowed: bool
    why_not: str


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """The latest try at owed work, of whichever step. `outcome` is empty while it is in flight.

    `in_flight_since` is None once it ended. `worker_lost`: its lease ran out before it told its outcome.
    """

    step: str
    visit: int
    number: int
    outcome: str
    error: str
    started_at: datetime
    finished_at: datetime | None
    in_flight_since: datetime | None
    lease_until: datetime | None
    worker_lost: bool
    retry_at: datetime | None


@dataclass(frozen=True, slots=True)
class LastOutcome:
    """How the latest work that ended did end, of whichever step, with or without a try at it.

    `decided_by` and `rule` say who kept it back, and by which rule, where somebody did.
    """

    step: str
    outcome: str
    error: str
    at: datetime
    decided_by: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Compensation:
    """What undoes one visit of an ended run. `due_at` None: it waits for its turn, or has ended."""

    step: str
    visit: int
    status: str
    outcome: str
    attempts_made: int
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """Where a run stands and why. Structure only: names, times, declared correlation values; never a payload value.

    `moved_from` is the version that it was on before it was moved to `version`; None: it began there. `afterwards` is
    what the trace cannot tell.
    """

    run: UUID
    definition: str
    version: int
    moved_from: int | None
    subject: str
    state: str
    reason: str
    sentence: str
    since: datetime
    step: str
    waiting_for: Waiting | None
    digest: InDigest | None
    pending_signals: int
    suspended_until: datetime | None
    deadline_at: datetime | None
    next: tuple[Next, ...]
    actions: tuple[Action, ...]
    last_attempt: LastAttempt | None
    last_outcome: LastOutcome | None
    terminal_reason: str
    compensations: tuple[Compensation, ...]
    evidence: tuple[int, ...]
    engine_failures: int
    as_of: datetime
    afterwards: tuple[Afterwards, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The explanation in plain JSON values; instants in UTC as 2026-11-22T09:12:00.000000Z."""
        said: dict[str, Any] = plain(asdict(self))
        return said


def plain(value: Any) -> Any:
    """A value in plain JSON: text for instants and ids, lists for tuples."""
    if isinstance(value, Mapping):
        return {str(name): plain(inner) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value) if isinstance(value, UUID | TextChoices) else value
