"""CSV that a spreadsheet shows and does not run (ASVS 1.2.10)."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")


def csv_lines(rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """Rows as lines of CSV (RFC 4180), every cell quoted, and defused if a spreadsheet would take it for a formula."""
    line = io.StringIO()
    writer = csv.writer(line, quoting=csv.QUOTE_ALL)
    for row in rows:
        writer.writerow([defused(cell) for cell in row])
        yield line.getvalue()
        line.seek(0)
        line.truncate()


def defused(cell: Any) -> str:
    """The text of a cell, after an apostrophe if it could be a formula. Numbers are text of ours and stay numbers."""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return str(cell)
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_FORMULA) else text
