"""What differs between two documents, step by step rather than line by line."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workflows.definitions.sentences import pointer


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. In `path`, a JSON Pointer, a step goes by its key: `/steps/email/retry/max_attempts`.

    A step that stands elsewhere is `moved`, with its positions (from 1) before and after.
    """

    path: str
    kind: Literal["added", "removed", "changed", "moved"]
    before: Any = None
    after: Any = None


def diff(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The changes that turn one document into the other; empty when they say the same."""
    old, new = _by_key(before), _by_key(after)
    return [
        *_compare(_without_steps(before), _without_steps(after), []),
        *_compare(old, new, ["steps"]),
        *_moves(old, new),
    ]


def _by_key(document: Mapping[str, Any]) -> dict[str, Any]:
    return {step["key"]: step for step in document["steps"]}


def _without_steps(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "steps"}


def _compare(before: Any, after: Any, place: list[str | int]) -> Iterator[Change]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in dict.fromkeys([*before, *after]):
            yield from _compare_member(before, after, name, place)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for position, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _compare(old, new, [*place, position])
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield Change(pointer(place), "changed", before, after)


def _compare_member(
    before: Mapping[str, Any], after: Mapping[str, Any], name: str, place: list[str | int]
) -> Iterator[Change]:
    here = [*place, name]
    if name not in after:
        yield Change(pointer(here), "removed", before=before[name])
    elif name not in before:
        yield Change(pointer(here), "added", after=after[name])
    else:
        yield from _compare(before[name], after[name], here)


def _moves(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    """Steps of both documents whose order among each other changed."""
    kept_before = [key for key in old if key in new]
    kept_after = [key for key in new if key in old]
    for key in kept_after:
        if kept_before.index(key) != kept_after.index(key):
            yield Change(pointer(["steps", key]), "moved", list(old).index(key) + 1, list(new).index(key) + 1)
