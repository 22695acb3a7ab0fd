"""The table of faults and what is not verified: there is one, in `docs/reliability.md`, and a run prints what it says.

A row is held by tests and faults of `bin/prove`, or is `not verified: …`. `in part: …` after them tells what was not
tried, or more weakly than it could be.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
HEADING = "## Not verified"
_MISSING, _PART = "not verified: ", "in part: "


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, what must hold, and what holds it."""

    id: str
    fault: str
    promise: str
    held: str

    @property
    def holders(self) -> list[str]:
        """Tests and faults of `bin/prove` that are named."""
        return holders(self.held)

    @property
    def kinds(self) -> list[str]:
        """Faults of `bin/prove` that are named."""
        return [name.removeprefix("prove: ") for name in self.holders if name.startswith("prove: ")]

    @property
    def gap(self) -> str:
        """What of it is not verified; empty where all of it is."""
        for word in (_MISSING, _PART):
            before, found, reason = self.held.partition(word)
            if found and (word == _PART or not before):
                return f"{word}{reason}"
        return ""


def holders(text: str) -> list[str]:
    """Names of tests and of faults of `bin/prove`, in backticks."""
    return [name for name in re.findall(r"`([^`]+)`", text) if "::" in name or name.startswith("prove: ")]


def rows(text: str | None = None) -> list[Row]:
    """The rows of all tables of faults, in order."""
    lines = [line for line in (text or PAGE.read_text()).splitlines() if re.match(r"\| [A-Z]\d+ \|", line)]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


def beyond(text: str | None = None) -> list[str]:
    """What no row is about: the items under the heading of the page."""
    _, _, below = (text or PAGE.read_text()).partition(f"{HEADING}\n")
    return [" ".join(item.split()) for item in re.findall(r"^- ((?:.+\n?(?!- ))+)", below, re.MULTILINE)]


def not_verified(happened: Mapping[str, int], text: str | None = None) -> Iterator[str]:
    """Everything that the page admits, with how often this run did what a row that is held in part names."""
    yield from beyond(text)
    for row in rows(text):
        if row.gap:
            done = ", ".join(f"{kind} {happened.get(kind, 0)}" for kind in row.kinds if kind in happened)
            gap = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", row.gap)
            yield f"{row.id} {row.fault}: {gap}" + (f" (this run: {done})" if done else "")
