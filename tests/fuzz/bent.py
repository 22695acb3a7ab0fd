"""Good bodies with something wrong in one or two places, and query parameters that nobody expects."""

import copy
from collections.abc import Iterator
from typing import Any

import hypothesis.strategies as st

NASTY: list[Any] = [
    None,
    "",
    " ",
    0,
    -1,
    1.5,
    1e308,
    2**63 - 1,
    -(2**63),
    2**31,
    True,
    [],
    {},
    [[]],
    [None],
    {"a": None},
    "x" * 300,
    "x" * 70_000,
    "é\u202e\U0001f600\ufffe",
    "a\r\nb: c",
    "../../etc/passwd",
    "%00%ff",
    "{{ 1 | upcase",
    "{% for i in (1..9999999999) %}x{% endfor %}",
    "run.data.__class__",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-14:00",
    "2026-02-30T00:00:00Z",
    "P999999999999Y",
    "P99999999D",
    "PT0.0000001S",
    "00000000-0000-0000-0000-000000000000",
    "http://[::1",
    "http://user@127.0.0.1:99999/",
    "Europe/Atlantis",
    list(range(2000)),
    {str(number): number for number in range(2000)},
]
"""Values that broke other services."""

TEXTS = [value for value in NASTY if isinstance(value, str) and len(value) < 1000] + ["\0", "-1", "1" * 30, "٣", "1e9"]

Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Where something is in a body, from the outside in."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in inside:
        yield (*at, key)
        yield from places(member, (*at, key))


@st.composite
def bent(draw: st.DrawFn, bodies: list[Any]) -> Any:
    """One of the bodies with one or two of its values replaced, taken out, or given a neighbour."""
    body = copy.deepcopy(draw(st.sampled_from(bodies)))
    for _ in range(draw(st.integers(1, 2))):
        found = list(places(body))
        if not found:
            return {"unknown": draw(st.sampled_from(NASTY))}
        *outer, last = draw(st.sampled_from(found))
        inside = body
        for key in outer:
            inside = inside[key]
        match draw(st.sampled_from(["replace", "replace", "replace", "remove", "add"])):
            case "replace":
                inside[last] = copy.deepcopy(draw(st.sampled_from(NASTY)))
            case "remove":
                del inside[last]
            case _ if isinstance(inside, list):
                inside.append(copy.deepcopy(inside[last]))
            case _:
                inside[f"{last}_x"] = inside[last]
    return body
