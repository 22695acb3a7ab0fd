"""What a message may speak of: the start data of the run, and the run itself."""

from collections.abc import Mapping
from typing import Any

from workflows.definitions.paths import MISSING, lookup

Facts = Mapping[str, Any]
"""{data: …, run: {id, subject, correlation, definition}}: what templates and paths see."""


def facts_of(
    *, run_public_id: str, subject: str, correlation: Mapping[str, str], definition_key: str, data: Any
) -> Facts:
    """The facts of one run."""
    run = {"id": run_public_id, "subject": subject, "correlation": dict(correlation), "definition": definition_key}
    return {"data": data or {}, "run": run}


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
