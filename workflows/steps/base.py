"""What a step kind is: the contract between a definition, the engine and the app that knows how to do the step.

A kind is one small object, registered by its app under the word that definitions use for it (`kind: wait`). Kinds that
work outside a transaction (send, call out) extend `WorkKind`; all others are decided by the engine alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from workflows.definitions.document import Step, Target
from workflows.engine.facts import Entered, Owe, RunFacts
from workflows.states import Reason

Fault = dict[str, str]

_DURATION = {"$ref": "#/$defs/duration"}
TRIES: Mapping[str, Any] = {
    "retry": {
        "type": "object",
        "description": "how often a temporary failure is tried again: {max_attempts: 5, backoff: exponential}",
        "properties": {
            "max_attempts": {"type": "integer", "minimum": 1, "maximum": 20},
            "backoff": {"enum": ["none", "linear", "exponential"]},
            "initial": _DURATION,
            "max": _DURATION,
        },
        "additionalProperties": False,
    },
    "at_most_once": {
        "type": "boolean",
        "description": "never try again after a try that may have taken effect; stop as unknown instead",
    },
}
"""The keys of every step that tries something outside, in JSON Schema."""

SUCCESSES = frozenset({"succeeded", "delivered", "suppressed", "collected", "digested", "sent_first", "passed"})
"""Outcomes after which nothing is left to do about a step."""
HELD = "held"
"""The word of work that may not be done yet; `Outcome.until` says when it may."""
UNKNOWN = "unknown"
"""The outcome of work whose end nobody saw."""


@dataclass(frozen=True, slots=True)
class CheckContext:
    """What a kind may know while it checks one step.

    `tenant_id` is None without a database (then nothing stored is looked up); `correlation_names` is None when the
    declarations themselves are at fault (then no name is held against them).
    """

    document: Mapping[str, Any]
    step_keys: frozenset[str]
    tenant_id: int | None = None
    correlation_names: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a piece of work ended. `error` and `context` hold structure (codes, names, digests), never payload values.

    `retry_after` is in seconds: the least time to leave before the next try, as the other side asked for it.
    `answer` is what came back: stored as a payload, and part of the run's data under the step's `answer` from then on.
    `until`: it was not tried, and may not be before then; a rule that `context` names says so, and no try is used up.
    `rests`: it has no end yet, and no worker will take it up; the run stays at the step, for this reason.
    `maybe_done`: the effect may have happened all the same, so a step that is `at_most_once` must not try again.
    """

    word: str
    error: str = ""
    retryable: bool = False
    retry_after: float | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    maybe_done: bool = False
    answer: Mapping[str, Any] | None = None
    until: datetime | None = None
    rests: str = ""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """One visit of a step that a run has just reached. `key` is its effect key, the same for every try of the visit."""

    step_run_id: int
    tenant_id: int
    run_id: int
    run_public_id: str
    definition_key: str
    subject: str
    correlation: Mapping[str, str]
    data: Mapping[str, Any]
    step: Step
    visit: int
    key: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to try one piece of work once: held under a lease, finished only while `fence` is still ours."""

    tenant_id: int
    step_run_id: int
    run_id: int | None
    run_public_id: str
    attempt_number: int
    fence: int
    key: str
    step: Mapping[str, Any]
    visit: int = 1
    is_resend: bool = False
    undo: int = 0  # of a compensation: its place in the order of undoing


class StepKind:
    """A kind of step: what it looks like in a definition and where it may send a run."""

    name: ClassVar[str]
    schema: ClassVar[Mapping[str, Any]] = {}
    """JSON Schema `properties`, `required` and the like for the kind's own keys (the common keys are added to them)."""
    outcomes: ClassVar[frozenset[str]] = frozenset()
    """The words that `on_outcome` may name."""
    ended_as: ClassVar[Mapping[str, Reason]] = {}
    """The reason with which a run completes right after an outcome, where the kind has one of its own."""
    breaks_cycles: ClassVar[bool] = False
    """True when a run rests at this kind of step, so that a loop through it cannot spin."""

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Yield every fault that the schema cannot see. `path` is the JSON Pointer of the step; its shape is valid."""
        yield from ()

    def targets(self, step: Mapping[str, Any]) -> Iterator[tuple[str, Target]]:
        """Yield each jump besides `on_outcome`, with the JSON Pointer of its place inside the step."""
        yield from ()

    def falls_through(self, step: Mapping[str, Any]) -> bool:
        """Whether the step may hand the run to the next step in order without a target that says so."""
        return True

    def rests(self, step: Mapping[str, Any]) -> bool:
        """Whether a run that comes back to this step is held up there; without that, a loop through it spins."""
        return self.breaks_cycles

    def after(self, step: Step, outcome: str) -> Target | None:
        """Where the outcome leads: as the step says, else as the kind does; None is the next step in order."""
        return step.on_outcome.get(outcome)

    def enter(self, step: Step, run: RunFacts, visit: int, now: datetime) -> Entered:
        """What a run that comes to this step does: go on, park, or owe work. Pure: facts in, answer out."""
        raise NotImplementedError


class WorkKind(StepKind):
    """A kind whose work happens outside any transaction, claimed by lease and fence."""

    success: ClassVar[str] = "succeeded"
    """The outcome that says: it took effect."""
    failure: ClassVar[str] = "permanent_failure"
    """The outcome that says: it did not, and will not."""
    acts: ClassVar[bool] = True
    """False when a try does nothing outside: then one whose end nobody saw says nothing about the effect."""
    hears_later: ClassVar[bool] = False
    """True when something may become known of the work after it has ended, and after its run has."""
    may_compensate: ClassVar[bool] = False
    """True when a step's `compensate` may be of this kind: it goes out once and needs nothing of the run's way."""

    def enter(self, step: Step, run: RunFacts, visit: int, now: datetime) -> Entered:
        """Always owed."""
        return Owe()

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """Write what the work needs, inside the transaction that advances the runs, a few statements for them all.

        The answer maps `step_run_id` to the outcome of those that are settled at once; the others wait to be claimed.
        """
        raise NotImplementedError

    def plan_again(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """The same for compensations that were planned before, failed, and are owed once more under the same key."""
        return {}

    def perform(self, claim: Claim) -> Outcome:
        """Do the work once, outside any transaction. Raises nothing for an expected failure: that is an outcome."""
        raise NotImplementedError

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """Record the outcome on the kind's own rows, inside the transaction that finishes the attempt.

        `final` is False when the work will be tried again.
        """
        raise NotImplementedError

    def abandon(self, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
        """Note that these step runs will not be performed (again): their runs ended, or they were quarantined.

        Called in the transaction that ends them, with the step runs of this kind only.
        """

    def resolve(self, tenant_id: int, step_run_id: int, word: str, now: datetime, error: str = "") -> None:
        """Write an outcome on the kind's own rows that no attempt told.

        `unknown`: nobody saw the end. Another outcome: somebody looked it up, and `error` is the code that they were
        given, if any. `owed`: it is to be tried again.
        """
