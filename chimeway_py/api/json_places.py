"""Where a text of JSON, well-formed or not, goes beyond a size: found by walking over it, building nothing."""

import json
import re
from collections.abc import Iterator

# As in the gate: it matches unterminated strings too, so that it never tries again from a quote inside.
_MARK = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{},:]', re.DOTALL)
Place = list[str | int]


def where_too_deep(text: str, most: int) -> Place:
    """The keys and indexes that lead to the first object or list that is nested deeper than `most`."""
    return next((place for depth, _, place in _openings(text) if depth > most), [])


def where_too_many(text: str, most: int) -> Place:
    """The keys and indexes that lead to the object or list with the member or item after the first `most` of all."""
    return next((place for _, members, place in _openings(text) if members > most), [])


def _openings(text: str) -> Iterator[tuple[int, int, Place]]:
    """Depth, members so far and place, after every bracket that opens and every comma.

    The place is one list that changes as the walk goes on.
    """
    place: Place = []  # of the innermost object or list
    inside: list[str | int] = []  # for each that is open, the key or index of its member at hand
    members, last = 0, ""
    for found in _MARK.finditer(text):
        mark = found[0]
        match mark:
            case "[" | "{":
                place += inside[-1:]
                inside.append(0 if mark == "[" else "")
                members += 1
                yield len(inside), members, place
            case "]" | "}":
                del inside[-1:], place[-1:]
            case ",":
                members += 1
                if inside and isinstance(inside[-1], int):
                    inside[-1] += 1
                yield len(inside), members, place
            case ":":
                if inside and isinstance(inside[-1], str):
                    inside[-1] = _text(last)
            case _:
                last = mark


def _text(mark: str) -> str:
    """What a string says; one that cannot be read, as it is written."""
    try:
        return str(json.loads(mark, strict=False))
    except ValueError:
        return mark.strip('"')
