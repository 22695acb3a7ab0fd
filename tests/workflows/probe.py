"""A kind of work for tests: it does what the test says, and keeps a ledger of what reached it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from workflows.steps.base import TRIES, Claim, Outcome, PlannedStep, WorkKind

DELIVERED = Outcome("delivered")


class Probe(WorkKind):
    """Registered as `probe`. `answer` decides each outcome; `at_once` settles in the planning transaction."""

    name = "probe"
    schema: Mapping[str, Any] = {"properties": {**TRIES, "at_once": {"type": "boolean"}}}
    success = "delivered"
    may_compensate = True
    outcomes = frozenset(
        {"delivered", "permanent_failure", "temporary_failure", "retries_exhausted", "bounced", "unknown"}
    )

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Start over."""
        self.ledger: list[tuple[str, int]] = []
        self.settled: list[tuple[str, str, bool]] = []
        self.abandoned: list[int] = []
        self.resolved: list[str] = []
        self.answer: Callable[[Claim], Outcome] = lambda claim: DELIVERED

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """Settle at once what says so."""
        return {one.step_run_id: DELIVERED for one in planned if one.step.config.get("at_once")}

    def perform(self, claim: Claim) -> Outcome:
        """Note the try, then answer."""
        self.ledger.append((claim.key, claim.attempt_number))
        return self.answer(claim)

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """Note the end."""
        self.settled.append((claim.key, outcome.word, final))

    def abandon(self, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
        """Note what nobody will do."""
        self.abandoned += step_run_ids

    def resolve(self, tenant_id: int, step_run_id: int, word: str, now: datetime, error: str = "") -> None:
        """Note what somebody found out."""
        self.resolved.append(word)
