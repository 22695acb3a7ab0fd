"""Sources: where a step takes a value from. A path into the run, or a constant."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from workflows.definitions.paths import MISSING, RUN_ROOTS, lookup, path_fault
from workflows.engine.facts import roots_of
from workflows.steps.base import CheckContext, Fault

Facts = Mapping[str, Any]
"""{data: …, steps: …, run: {id, subject, correlation, definition}}: what templates and paths see."""

SOURCE: Mapping[str, Any] = {
    "description": "a path such as data.email or run.subject, or {const: <text>}",
    "oneOf": [
        {"$ref": "#/$defs/path"},
        {
            "type": "object",
            "properties": {"const": {"type": "string", "minLength": 1, "maxLength": 320}},
            "required": ["const"],
            "additionalProperties": False,
        },
    ],
}


def facts_of(
    *, run_public_id: str, subject: str, correlation: Mapping[str, str], definition_key: str, data: Any
) -> Facts:
    """The facts of one run."""
    run = {"id": run_public_id, "subject": subject, "correlation": dict(correlation), "definition": definition_key}
    return {**roots_of(data or {}), "run": run}


def value_of(source: Any, facts: Facts) -> Any:
    """What a step's `path` or `{const: …}` stands for; None where the path leads nowhere."""
    if isinstance(source, Mapping):
        return source["const"]
    found = lookup(facts, source)
    return None if found is MISSING else found


def text_of(source: Any, facts: Facts) -> str:
    """The same as text: numbers in their JSON form, and nothing (an empty text) for whatever is no text or number."""
    found = value_of(source, facts)
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return ""
    return str(found).strip()


def check_source(source: Any, path: str, context: CheckContext) -> Iterator[Fault]:
    """The fault of a path that leads nowhere a run has, at JSON Pointer `path`."""
    wrong = isinstance(source, str) and path_fault(source, RUN_ROOTS, context.correlation_names)
    if wrong:
        yield fault(path, "path", wrong)
