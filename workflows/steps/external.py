"""The `external` step: work that others do, observed by its own id until it ends or its time is up."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from chimeway_py.errors import fault
from workflows.definitions.durations import parse_duration
from workflows.services.external_steps import expect_external
from workflows.steps.base import CheckContext, Claim, Fault, Outcome, PlannedStep, WorkKind
from workflows.steps.http import check_answer
from workflows.steps.sources import SOURCE, check_source

_KEY = {"$ref": "#/$defs/key"}
TIMED_OUT = "timed_out"


class ExternalStep(WorkKind):
    """Waits for what is observed of `of` under its `id`. Nothing is sent: a worker only notes when its time is up."""

    name = "external"
    failure = "failed"
    acts = False
    outcomes = frozenset({"succeeded", "failed", TIMED_OUT, "permanent_failure"})
    hears_later = True
    schema: ClassVar[Mapping[str, Any]] = {
        "properties": {
            "of": {**_KEY, "description": "the kind of the work, as those who observe it call it"},
            "id": SOURCE,
            "timeout": {"$ref": "#/$defs/duration"},
            "answer": {**_KEY, "description": "the data of the end, a JSON object, becomes data.<this name>"},
        },
        "required": ["of", "id"],
    }

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Faults of the id's path, the time and the answer."""
        yield from check_source(step["id"], f"{path}/id", context)
        yield from check_answer(step, path, context)
        if "timeout" in step and parse_duration(step["timeout"]) < timedelta(seconds=1):
            yield fault(f"{path}/timeout", "duration", "At least PT1S.")

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """Expect each under its id; what was observed to end before is settled at once."""
        return expect_external(planned=planned, now=now)

    def perform(self, claim: Claim) -> Outcome:
        """Its time is up: nothing was observed to end it, else there would be nothing to claim."""
        return Outcome(TIMED_OUT, "timeout")

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """What is mirrored stays as it was observed; its end may still come."""
