"""The approval: rest until somebody says yes or no, until its time is up, or until a signal makes it needless."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from chimeway_py.errors import fault
from workflows.definitions.document import Step, Target, parse_signal_rules
from workflows.definitions.durations import parse_duration
from workflows.engine.facts import Park, RunFacts
from workflows.engine.opening import open_wait
from workflows.steps.base import CheckContext, Fault, StepKind
from workflows.steps.resting import RESTING, check_resting, has_timer

LONGEST_ACTOR = 200
_TARGET = {"$ref": "#/$defs/target"}
_ELSE: Mapping[str, Any] = {
    "on_approve": "next",
    "on_reject": {"stop": "rejected"},
    "on_timeout": {"stop": "approval_timed_out"},
}


class Approval(StepKind):
    """Rests until somebody decides. Both routes are fixed when it opens, and kept with the wait."""

    name = "approval"
    breaks_cycles = True
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            "actors": {
                "description": "who may decide, in your own words: a list of 1 to 50 texts; without it, anybody",
                "type": "array",
                "items": {"type": "string", "minLength": 1, "maxLength": LONGEST_ACTOR},
                "minItems": 1,
                "maxItems": 50,
                "uniqueItems": True,
            },
            "on_approve": _TARGET,
            "on_reject": _TARGET,
            "remind_after": {"$ref": "#/$defs/duration"},
            **RESTING,
        }
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of the time and of each signal, and a reminder that would never come."""
        yield from check_resting(step, path, context)
        reminder, end = (parse_duration(step[name]) if name in step else None for name in ("remind_after", "for"))
        if reminder is not None and end is not None and reminder >= end:
            yield fault(f"{path}/remind_after", "duration", "The reminder comes before the time of `for` is up.")

    def targets(self, step: Mapping[str, Any]) -> Iterator[tuple[str, Target]]:
        """Where yes and no lead, where each signal leads, and where the end of the time leads."""
        yield "/on_approve", _target(step, "on_approve")
        yield "/on_reject", _target(step, "on_reject")
        for position, rule in enumerate(parse_signal_rules(step)):
            yield f"/signals/{position}/then", rule.then
        if has_timer(step):
            yield "/on_timeout", _target(step, "on_timeout")

    def falls_through(self, step: Mapping[str, Any]) -> bool:
        """Never: every end of it has a target."""
        return False

    def rests(self, step: Mapping[str, Any]) -> bool:
        """Unless it waits for an instant, which is over for good when a loop comes back to it."""
        return "instant" not in step.get("until", {})

    def enter(self, step: Step, run: RunFacts, visit: int, now: datetime) -> Park:
        """Park, with who may decide, both routes and the times worked out."""
        config = step.config
        return Park(
            replace(
                open_wait(step, run, visit, now),
                on_timeout=_target(config, "on_timeout"),
                routes={"approve": _target(config, "on_approve"), "reject": _target(config, "on_reject")},
                actors=tuple(config.get("actors", ())),
                remind_at=now + parse_duration(config["remind_after"]) if "remind_after" in config else None,
            )
        )


def _target(step: Mapping[str, Any], name: str) -> Target:
    return Target.parse(step.get(name, _ELSE[name]))
