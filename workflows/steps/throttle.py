"""The `throttle` step: so many runs pass within a window, the others go another way or wait for their turn."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from chimeway_py.errors import fault
from tenants.scope import tenant_scope
from workflows.definitions.document import Step, Target
from workflows.definitions.durations import parse_duration
from workflows.steps.base import CheckContext, Claim, Fault, Outcome, PlannedStep, WorkKind
from workflows.steps.naming import NAMED, by_faults
from workflows.throttles.counting import DELAY, LIMITED, PASSED, give_back, pass_throttles, take_turn
from workflows.withheld.noting import forget_withheld

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=31)
MOST = 10_000
_ELSE = {"stop": "throttled"}


class ThrottleStep(WorkKind):
    """Counted in the transaction that brings the run here. Only what is delayed is taken up by a worker."""

    name = "throttle"
    success = PASSED
    outcomes = frozenset({PASSED})
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            "window": {"$ref": "#/$defs/duration"},
            "threshold": {"type": "integer", "minimum": 1, "maximum": MOST},
            **NAMED,
            "missing_key": {"enum": ["open", "closed"], "description": "whether a run passes whose `by` leads nowhere"},
            "on_limit": {
                "description": "delay, or where a run goes that is one too many: as any target",
                "anyOf": [{"const": DELAY}, {"$ref": "#/$defs/target"}],
            },
        },
        "required": ["window", "threshold"],
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of the window and of each path, and a key that nothing can be missing of."""
        if not SHORTEST <= parse_duration(step["window"]) <= LONGEST:
            yield fault(f"{path}/window", "duration", "From PT1S to P31D.")
        yield from by_faults(step, path, context)
        if "missing_key" in step and "by" not in step:
            yield fault(f"{path}/missing_key", "conflict", "Nothing can be missing without `by`.")

    def targets(self, step: Mapping[str, Any]) -> Iterator[tuple[str, Target]]:
        """Where one too many goes."""
        if step.get("on_limit") != DELAY:
            yield "/on_limit", _on_limit(step)

    def after(self, step: Step, outcome: str) -> Target | None:
        """One too many goes where `on_limit` says; one that is delayed and has no key stops."""
        return _on_limit(step.config) if outcome == LIMITED else step.on_outcome.get(outcome)

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """Each passes, is one too many, or gets its turn."""
        return pass_throttles(planned=planned, now=now)

    def perform(self, claim: Claim) -> Outcome:
        """Its turn has come."""
        with tenant_scope(claim.tenant_id) as scope:
            return take_turn(claim=claim, now=scope.now)

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """The pass was written when it was taken. A run that ended before that gives its turn back."""
        if outcome.word == PASSED:
            forget_withheld(claim.tenant_id, claim.step_run_id)
        if outcome.word == "suppressed":
            give_back(claim.tenant_id, [claim.step_run_id])

    def abandon(self, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
        """Runs that end give back the turns that have not come."""
        give_back(tenant_id, step_run_ids)


def _on_limit(step: Mapping[str, Any]) -> Target:
    said = step.get("on_limit", _ELSE)
    return Target.parse(_ELSE if said == DELAY else said)
