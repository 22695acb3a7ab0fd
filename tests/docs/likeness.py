"""Whether an answer is like the one that a page shows: what is shown must be there, but for ids, times and numbers."""

import json
import re
from typing import Any

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_VARIABLE = [
    (re.compile(_UUID), "<id>"),
    (re.compile(r"[0-9a-f]+…"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]"), ""),
    (re.compile(r"\d\d:\d\d(:\d\d(\.\d+)?)?( UTC|Z)?"), "<time>"),
]


def json_faults(shown: Any, found: Any, path: str = "") -> list[str]:
    """Where an answer differs from the part of it that is shown."""
    if isinstance(shown, dict) and isinstance(found, dict):
        missing = [f"{path}/{key} is missing" for key in shown if key not in found]
        return missing + [
            fault for key in shown if key in found for fault in json_faults(shown[key], found[key], f"{path}/{key}")
        ]
    if isinstance(shown, list) and isinstance(found, list):
        if len(shown) != len(found):
            return [f"{path} has {len(found)} items, {len(shown)} are shown"]
        pairs = enumerate(zip(shown, found, strict=True))
        return [fault for index, (a, b) in pairs for fault in json_faults(a, b, f"{path}/{index}")]
    if isinstance(shown, str) and isinstance(found, str):
        return [] if settled(shown) == settled(found) else [f"{path} is {found!r}, {shown!r} is shown"]
    return [] if shown == found else [f"{path} is {found!r}, {shown!r} is shown"]


def settled(text: str) -> str:
    """A text with ids and times made alike."""
    for pattern, word in _VARIABLE:
        text = pattern.sub(word, text)
    return text


def output_faults(language: str, shown: str, printed: str) -> list[str]:
    """Where what was printed differs from what a page shows."""
    if language == "json":
        return json_faults(json.loads(shown), json.loads(printed))
    return [] if _lines(shown) == _lines(printed) else [f"printed:\n{printed}shown:\n{shown}"]


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in settled(text.strip()).splitlines()]
