"""Under which name a step brings runs together: their subject, and what `by` leads to."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from workflows.definitions.paths import MISSING, RUN_ROOTS, lookup, path_fault
from workflows.steps.base import CheckContext, Fault, PlannedStep
from workflows.steps.sources import Facts, facts_of

_PATH = {"$ref": "#/$defs/path"}
Name = tuple[str, str, str, bytes]
"""The definition's key, the step, the subject (empty: across subjects) and where the payload of `by` lies."""
NAMED: Mapping[str, Any] = {
    "by": {
        "description": "a path such as data.post_id, or a list of 1 to 4: what is kept apart",
        "anyOf": [_PATH, {"type": "array", "items": _PATH, "minItems": 1, "maxItems": 4, "uniqueItems": True}],
    },
    "across_subjects": {
        "type": "boolean",
        "description": "for everybody together; without it each subject is apart",
    },
}
"""The keys in JSON Schema."""


def by_faults(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    """Paths of `by` that lead nowhere."""
    said = step.get("by", [])
    places = {f"{path}/by": said} if isinstance(said, str) else {f"{path}/by/{n}": one for n, one in enumerate(said)}
    for place, one in places.items():
        if wrong := path_fault(one, RUN_ROOTS, context.correlation_names):
            yield fault(place, "path", wrong)


def by_of(config: Mapping[str, Any], facts: Facts) -> Any:
    """What `by` leads to, [] without one, MISSING when a path leads nowhere."""
    said = config.get("by", [])
    values = [lookup(facts, path) for path in ([said] if isinstance(said, str) else said)]
    return MISSING if any(value is MISSING or value is None or value == "" for value in values) else values


def name_of(one: PlannedStep, address: bytes) -> Name:
    """The name, given where the payload of `by` lies."""
    subject = "" if one.step.config.get("across_subjects") else one.subject
    return one.definition_key, one.step.key, subject, address


def facts_at(one: PlannedStep) -> Facts:
    """What the paths of a planned step see."""
    return facts_of(
        run_public_id=one.run_public_id,
        subject=one.subject,
        correlation=one.correlation,
        definition_key=one.definition_key,
        data=one.data,
    )
