"""The `digest` step: the items of many runs become one message. One run goes on with them all, the others end."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

from chimeway_py.errors import fault
from workflows.definitions.document import Step, Target
from workflows.digests.joining import join_digests
from workflows.digests.leaving import leave_digests
from workflows.digests.output import COLLECTED, DIGESTED, MOST_SHOWN, REMOVED, SENT_FIRST
from workflows.digests.windows import WINDOW, window_faults
from workflows.states import Reason
from workflows.steps.base import CheckContext, Claim, Fault, Outcome, PlannedStep, WorkKind
from workflows.steps.naming import NAMED, by_faults
from workflows.steps.sources import SOURCE, check_source

MOST_ITEMS = 10_000
_PATH = {"$ref": "#/$defs/path"}
_ELSE: Mapping[str, Target] = {
    DIGESTED: Target("complete"),
    REMOVED: Target("stop", reason="digest_item_removed"),
}


class DigestStep(WorkKind):
    """Runs rest here until their digest closes. No worker takes anything up: the close is found by its own due time."""

    name = "digest"
    breaks_cycles = True
    success = COLLECTED
    outcomes = frozenset(_ELSE) | {COLLECTED, SENT_FIRST}
    ended_as: ClassVar[Mapping[str, Reason]] = {DIGESTED: Reason.DIGESTED}
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            "window": WINDOW,
            **NAMED,
            "item": {
                "description": "what a run brings: a path, or names each with a path or {const: <text>}; else its data",
                "oneOf": [
                    _PATH,
                    {
                        "type": "object",
                        "propertyNames": {"$ref": "#/$defs/key"},
                        "additionalProperties": SOURCE,
                        "minProperties": 1,
                        "maxProperties": 20,
                    },
                ],
            },
            "show": {"type": "integer", "minimum": 1, "maximum": MOST_SHOWN},
            "max_items": {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS},
            "flush_first": {"type": "boolean"},
        },
        "required": ["window"],
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of the window and of each path, and a collection for everybody that is by nothing."""
        yield from window_faults(step["window"], f"{path}/window")
        yield from by_faults(step, path, context)
        if step.get("across_subjects") and "by" not in step:
            yield fault(f"{path}/across_subjects", "conflict", "Say `by` what is collected for everybody.")
        item = step.get("item")
        if isinstance(item, Mapping):
            for name, source in item.items():
                yield from check_source(source, f"{path}/item/{name}", context)
        else:
            yield from check_source(item, f"{path}/item", context)

    def after(self, step: Step, outcome: str) -> Target | None:
        """As the step says; else those whose items were taken along complete, and a removed one stops."""
        return step.on_outcome.get(outcome) or _ELSE.get(outcome)

    def rests(self, step: Mapping[str, Any]) -> bool:
        """Not where the first goes at once."""
        return not step.get("flush_first", False)

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """Each joins a digest and rests, or goes on at once."""
        return join_digests(planned=planned, now=now)

    def perform(self, claim: Claim) -> Outcome:
        """Never asked: no step run of this kind is ever due."""
        raise NotImplementedError

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """Nothing to write: the digest was, where it was closed."""

    def abandon(self, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
        """Runs that end take their items with them."""
        leave_digests(tenant_id, step_run_ids, now)
