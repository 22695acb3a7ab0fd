"""What became of all targets of a broadcast, as CSV that no spreadsheet takes for formulas."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from deliveries.broadcasts.standing import target_states
from deliveries.models import Broadcast

HEADINGS = ("position", "subject", "outcome", "reason", "run_id")
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def report_lines(broadcast: Broadcast) -> Iterator[str]:
    """A line for each target, after one of headings. Needs the tenant's scope while it is read."""
    yield _line(HEADINGS)
    for state in target_states(broadcast):
        run = str(state.run) if state.run else ""
        yield _line([state.position, defused(state.subject), state.outcome, state.reason, run])


def defused(text: str) -> str:
    """The text of a cell; one that a spreadsheet would carry out begins with an apostrophe."""
    return f"'{text}" if text.lstrip(" ").startswith(_DANGEROUS) else text


def _line(cells: Sequence[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue()
