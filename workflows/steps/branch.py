"""The branch: go where the first true condition points."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, ClassVar

from workflows.definitions.condition_checks import check_condition
from workflows.definitions.conditions import evaluate
from workflows.definitions.document import Step, Target
from workflows.definitions.paths import RUN_ROOTS, path_fault
from workflows.engine.facts import Go, RunFacts, roots_of
from workflows.states import Reason
from workflows.steps.base import CheckContext, Fault, StepKind

_TARGET = {"$ref": "#/$defs/target"}


class Branch(StepKind):
    """Judges its conditions in order on the data of the run; none true takes `else`, or else the next step."""

    name = "branch"
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            "when": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"if": {"$ref": "#/$defs/condition"}, "then": _TARGET},
                    "required": ["if", "then"],
                    "additionalProperties": False,
                },
                "minItems": 1,
                "maxItems": 20,
            },
            "else": _TARGET,
        },
        "required": ["when"],
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of each condition."""

        def path_check(text: Any) -> str | None:
            return path_fault(text, RUN_ROOTS, context.correlation_names)

        for position, arm in enumerate(step["when"]):
            yield from check_condition(arm["if"], f"{path}/when/{position}/if", path_check)

    def targets(self, step: Mapping[str, Any]) -> Iterator[tuple[str, Target]]:
        """Where each condition leads, and where none leads."""
        for position, arm in enumerate(step["when"]):
            yield f"/when/{position}/then", Target.parse(arm["then"])
        yield "/else", Target.parse(step.get("else"))

    def falls_through(self, step: Mapping[str, Any]) -> bool:
        """Never: without `else` the targets name the next step."""
        return False

    def enter(self, step: Step, run: RunFacts, visit: int, now: datetime) -> Go:
        """Go where the first true condition points.

        The transition keeps which one, and what the last one refused on.
        """
        facts = {**roots_of(run.data), "run": run.as_tree()}
        context: dict[str, Any] = {}
        for position, arm in enumerate(step.config["when"]):
            judgement = evaluate(arm["if"], facts)
            context = {"when": position} | judgement.as_context()
            if judgement.held:
                return _go(Target.parse(arm["then"]), context)
        return _go(Target.parse(step.config.get("else")), context | {"when": "else"})


def _go(target: Target, context: Mapping[str, Any]) -> Go:
    return Go(target, Reason.BRANCH_TAKEN, {**context, "then": target.as_declared()})
