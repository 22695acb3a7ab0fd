"""What the columns of a CSV hold: found by their headings, or said beside the file."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chimeway_py.errors import fault

MOST_COLUMNS = 200
_NAME = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"
_HOLDS = re.compile(
    rf"subject|data\.{_NAME}|correlation\.[a-z0-9_]{{1,50}}"
    rf"|recipient\.(zone|locale|addresses\.[a-z0-9_]{{1,32}}|attributes\.{_NAME})"
)
HOLDS = "subject, data.<name>, correlation.<name>, recipient.zone, .locale, .addresses.<channel> or .attributes.<name>"
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d{1,15})?([eE][+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, where in a target it goes, and the JSON type that the data schema wants there."""

    heading: str
    keys: tuple[str, ...]
    kind: str = "string"

    @property
    def path(self) -> str:
        """Its place in a target, as a JSON Pointer."""
        return "/" + "/".join(self.keys)


def columns_of(
    headings: Sequence[str], said: Mapping[str, str], properties: Mapping[str, Any]
) -> tuple[list[Column | None], list[dict[str, Any]]]:
    """The columns, None for each that is left out (said to be ""), and every fault of the first line."""
    found: list[Column | None] = []
    faults: list[dict[str, Any]] = []
    taken: dict[str, int] = {}
    if len(headings) > MOST_COLUMNS:
        return [], [fault("/1", "too_many", f"At most {MOST_COLUMNS} columns.")]
    for index, heading in enumerate(map(str.strip, headings)):
        holds = said.get(heading, heading)
        if holds and not _HOLDS.fullmatch(holds):
            told = f"Say in `columns` what it holds, or that it is left out: {HOLDS}."
            faults.append(fault("/1", "unknown_column", told) | {"column": heading[:64]})
        elif holds and taken.setdefault(holds, index) != index:
            faults.append(fault("/1", "repeated", f"Another column holds {holds}.") | {"column": heading[:64]})
        found.append(_column(heading, holds, properties) if holds else None)
    if "subject" not in taken:
        faults.append(fault("/1", "missing", "No column holds the subject."))
    absent = sorted(set(said) - set(map(str.strip, headings)))
    faults += [fault("/1", "missing", "There is no such column.") | {"column": one[:64]} for one in absent]
    return found, faults


def column_faults(said: Mapping[str, str]) -> list[dict[str, str]]:
    """Every fault of a mapping of headings, before there is a file."""
    if len(said) > MOST_COLUMNS:
        return [fault("/columns", "too_many", f"At most {MOST_COLUMNS} columns.")]
    bad = [one for one, holds in said.items() if holds and not _HOLDS.fullmatch(holds)]
    return [fault(f"/columns/{one[:64]}", "unknown_column", f"One of {HOLDS}; or empty: left out.") for one in bad]


def decode_text(text: str, kind: str) -> Any:
    """The text of a cell as the schema wants it. What cannot be read so stays text, and the schema says what it is."""
    if kind in {"integer", "number"} and _NUMBER.fullmatch(text):
        number = float(text) if re.search("[.eE]", text) else int(text)
        return int(number) if kind == "integer" and number == int(number) else number
    if kind == "boolean" and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    return text


def _column(heading: str, holds: str, properties: Mapping[str, Any]) -> Column:
    keys = tuple(holds.split("."))
    wanted = properties.get(keys[-1]) if keys[0] == "data" else None
    kinds = wanted.get("type", "string") if isinstance(wanted, Mapping) else "string"
    several = kinds if isinstance(kinds, list) else [kinds]
    return Column(heading, keys, next((kind for kind in several if kind in {"integer", "number", "boolean"}), "string"))
