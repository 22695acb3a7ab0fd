"""Dotted paths into facts: `data.items.0.sku`, `run.correlation.order_id`, `signal.subject`."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

LONGEST_PATH = 200
DEEPEST_PATH = 16

START_ROOTS = frozenset({"data", "signal"})
"""What a `start_on` rule may look at: the signal, and its data, which become the data of the run."""
RUN_ROOTS = frozenset({"data", "run", "steps"})
"""What a step may look at when no signal is at hand: the data of the run, what steps collected, and the run."""
SIGNAL_ROOTS = frozenset({"data", "run", "steps", "signal"})
"""What the condition of a waited-for signal may look at."""

_FIELDS = {
    "run": frozenset({"id", "subject", "correlation"}),
    "signal": frozenset({"name", "subject", "correlation", "data"}),
}
_SEGMENT = r"[A-Za-z0-9_-]{1,64}"
_PATH = re.compile(rf"[a-z]+(?:\.{_SEGMENT})+")
PATH_PATTERN = rf"^(data|run|steps|signal)(\.{_SEGMENT})+$"


class Missing:
    """The type of MISSING, what `lookup` answers where a path leads nowhere."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


def lookup(facts: Mapping[str, Any], path: str) -> Any:
    """The value at `path`, or MISSING. A number is a position in a list, and a key in an object. Never raises."""
    here: Any = facts
    for segment in path.split("."):
        here = _child(here, segment)
        if here is MISSING:
            return MISSING
    return here


def is_path(text: Any) -> bool:
    """Whether `text` has the form of a path, as opposed to a literal."""
    return isinstance(text, str) and _PATH.fullmatch(text) is not None and text.split(".")[0] in SIGNAL_ROOTS


def path_fault(text: Any, roots: Collection[str], correlation_names: Collection[str] | None = None) -> str | None:
    """What is wrong with a path that may start at `roots`, as a sentence, or None when nothing is.

    With `correlation_names`, a path to any other correlation value of the run is wrong too.
    """
    if not isinstance(text, str) or len(text) > LONGEST_PATH or not _PATH.fullmatch(text):
        return "A path is dotted and starts at its source, for example data.customer_id."
    root, *rest = text.split(".")
    if root not in roots:
        return f"A path here starts with {' or '.join(sorted(roots))}, followed by a dot."
    if len(rest) >= DEEPEST_PATH:
        return f"A path has at most {DEEPEST_PATH} parts."
    fields = _FIELDS.get(root)
    if fields and rest[0] not in fields:
        return f"There is no {root}.{rest[0]}; a {root} has {', '.join(sorted(fields))}."
    if root == "run" and rest[0] == "correlation" and correlation_names is not None:
        return _correlation_fault(rest[1:], correlation_names)
    return None


def _correlation_fault(rest: Sequence[str], names: Collection[str]) -> str | None:
    if len(rest) == 1 and rest[0] in names:
        return None
    known = f" Declared: {', '.join(sorted(names))}." if names else ""
    named = ".".join(rest) or "all of it"
    return f"{named!r} is not declared; name it in start_on.correlate or in the list `correlation`.{known}"


def _child(parent: Any, segment: str) -> Any:
    if isinstance(parent, Mapping):
        return parent.get(segment, MISSING)
    if isinstance(parent, Sequence) and not isinstance(parent, str | bytes):
        is_position = segment.isascii() and segment.isdigit() and len(segment) <= 6
        return parent[int(segment)] if is_position and int(segment) < len(parent) else MISSING
    return MISSING
