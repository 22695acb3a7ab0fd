"""The wait: rest until a signal comes or a time is reached. Without signals it is a timer."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from chimeway_py.errors import fault
from workflows.definitions.document import Step, Target, parse_signal_rules
from workflows.engine.facts import Park, RunFacts
from workflows.engine.opening import open_wait
from workflows.steps.base import CheckContext, Fault, StepKind
from workflows.steps.resting import LOOK_BACKS, RESTING, check_resting, has_timer

__all__ = ["LOOK_BACKS", "Wait", "has_timer"]


class Wait(StepKind):
    """Rests until the first of its signals, its time, or the end of the run."""

    name = "wait"
    breaks_cycles = True
    schema: ClassVar[Mapping[str, Any]] = {"properties": RESTING}

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of the time, of what may not stand together, and of each signal."""
        if not has_timer(step) and "signals" not in step:
            yield fault(path, "endless_wait", "Nothing ends this wait; give it `for`, `until` or `signals`.")
        yield from check_resting(step, path, context)

    def targets(self, step: Mapping[str, Any]) -> Iterator[tuple[str, Target]]:
        """Where each signal leads, and where the end of the time leads."""
        for position, rule in enumerate(parse_signal_rules(step)):
            yield f"/signals/{position}/then", rule.then
        if has_timer(step):
            yield "/on_timeout", Target.parse(step.get("on_timeout"))

    def falls_through(self, step: Mapping[str, Any]) -> bool:
        """Never: a wait ends by a signal or its time, and both have targets."""
        return False

    def rests(self, step: Mapping[str, Any]) -> bool:
        """Unless it waits for an instant, which is over for good when a loop comes back to it."""
        return "instant" not in step.get("until", {})

    def enter(self, step: Step, run: RunFacts, visit: int, now: datetime) -> Park:
        """Park, with the match values filled in and the times worked out."""
        return Park(open_wait(step, run, visit, now))
