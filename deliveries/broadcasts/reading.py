"""Files of targets: CSV, or JSON lines. Read line by line; what is wrong with one is told, and reading goes on."""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import IO, Any

from chimeway_py.api.json_gate import read_json
from chimeway_py.errors import Invalid, fault
from deliveries.broadcasts.columns import Column, columns_of, decode_text
from deliveries.broadcasts.targets import Faulty, Target

LONGEST_LINE = 256 * 1024  # characters
LONGEST_CELL = 10_000
MEMBERS = ("subject", "data", "correlation", "recipient")
BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "utf-16": "utf-16", "iso-8859-1": "iso-8859-1", "latin1": "iso-8859-1"}
CHARSETS |= {"windows-1252": "cp1252", "cp1252": "cp1252", "us-ascii": "utf-8"}
csv.field_size_limit(LONGEST_LINE)
Read = Iterator[Target | Faulty]


def read_csv(file: IO[bytes], columns: Mapping[str, str], properties: Mapping[str, Any], charset: str = "") -> Read:
    """The targets of a CSV whose first line names its columns.

    `columns` says what a heading stands for, where it does not say so itself; `properties` is of the definition's
    data schema: a cell that it wants to be a number is read as one. Separators are comma, semicolon or tab.
    """
    lines = _Lines(file, charset)
    try:
        head = next(lines, "")
        reader = csv.reader(_both(head, lines), delimiter=_separator(head), strict=True)
        headings = next(reader, [])
        known, faults = columns_of(headings, columns, properties)
        if faults:
            yield Faulty(1, faults)
            return
        yield from _rows(reader, known)
    except (csv.Error, _Unreadable) as error:
        yield Faulty(lines.number, [fault(f"/{lines.number}", *_told(error))])


def read_json_lines(file: IO[bytes]) -> Read:
    """The targets of JSON lines: {subject, data, correlation, recipient} each, of which only the subject must be."""
    lines = _Lines(file, "")
    try:
        for line in lines:
            if line.strip():
                yield _json_target(lines.number, line)
    except _Unreadable as error:
        yield Faulty(lines.number, [fault(f"/{lines.number}", *_told(error))])


class _Unreadable(Exception):
    """Nothing after it can be read: (code, message)."""


class _Lines(Iterator[str]):
    """The lines of a file as text, none of them longer than is good for memory, and the number of the latest."""

    def __init__(self, file: IO[bytes], charset: str) -> None:
        start = file.read(3)
        file.seek(0)
        said = CHARSETS.get(charset.lower(), "utf-8")
        encoding = next((name for bom, name in BOMS.items() if start.startswith(bom)), said)
        # newline="": a quoted cell keeps its line breaks
        self._text = io.TextIOWrapper(file, encoding=encoding, errors="strict", newline="")
        self.number = 0

    def __next__(self) -> str:
        self.number += 1
        try:
            line = self._text.readline(LONGEST_LINE)
        except UnicodeError:
            raise _Unreadable("bad_encoding", f"Not {self._text.encoding} from here on.") from None
        if not line:
            raise StopIteration
        if len(line) == LONGEST_LINE:
            raise _Unreadable("too_long", f"A line has fewer than {LONGEST_LINE} characters.")
        return line


def _both(head: str, lines: Iterator[str]) -> Iterator[str]:
    if head:
        yield head
    yield from lines


def _separator(head: str) -> str:
    """The one of comma, semicolon and tab that the headings use most."""
    return max(",;\t", key=head.count)


def _told(error: Exception) -> tuple[str, str]:
    return (error.args[0], error.args[1]) if isinstance(error, _Unreadable) else ("bad_csv", f"Not CSV: {error}.")


def _rows(reader: Any, columns: list[Column | None]) -> Read:
    """A target, or what is wrong, for each row that is not empty. A row begins where the one before ended."""
    places = {one.path: one.heading for one in columns if one}
    begins = reader.line_num + 1
    for cells in reader:
        line, begins = begins, reader.line_num + 1
        if not any(cells):
            continue
        if len(cells) != len(columns):
            said = f"{len(cells)} cells where the first line has {len(columns)}."
            yield Faulty(line, [fault(f"/{line}", "bad_length", said)])
            continue
        faults = [_cell_fault(line, one, cell) for one, cell in zip(columns, cells, strict=True) if one]
        if found := [one for one in faults if one]:
            yield Faulty(line, found)
        else:
            yield _csv_target(line, columns, cells, places)


def _cell_fault(line: int, column: Column, cell: str) -> dict[str, Any] | None:
    if "\0" in cell:
        return fault(f"/{line}{column.path}", "nul", "Text must not contain NUL.") | {"column": column.heading}
    if len(cell) > LONGEST_CELL:
        said = f"A cell has at most {LONGEST_CELL} characters."
        return fault(f"/{line}{column.path}", "too_long", said) | {"column": column.heading}
    return None


def _csv_target(line: int, columns: list[Column | None], cells: list[str], places: Mapping[str, str]) -> Target:
    """What the cells of a row say. An empty cell says nothing."""
    said: dict[str, Any] = {}
    for column, cell in zip(columns, cells, strict=True):
        if column is None or not (text := cell.strip()):
            continue
        here = said
        for name in column.keys[:-1]:
            here = here.setdefault(name, {})
        here[column.keys[-1]] = decode_text(text, column.kind)
    return Target(line, places=places, **({"subject": ""} | said))


def _json_target(line: int, text: str) -> Target | Faulty:
    try:
        said = read_json(text.encode())
    except Invalid as error:
        found = [] if isinstance(error.detail, Mapping) else error.detail
        return Faulty(line, [{**one, "path": f"/{line}{one['path']}"} for one in found])
    faults = [*_member_faults(said, f"/{line}")]
    return Faulty(line, faults) if faults else Target(line, **{"subject": ""} | said)


def _member_faults(said: Mapping[str, Any], at: str) -> Iterator[dict[str, str]]:
    for name, value in said.items():
        if name not in MEMBERS:
            yield fault(f"{at}/{name[:50]}", "unknown_key", f"A target has {', '.join(MEMBERS)}.")
        elif name == "subject" and not isinstance(value, str):
            yield fault(f"{at}/subject", "bad_type", "Must be text.")
        elif name != "subject" and not isinstance(value, dict):
            yield fault(f"{at}/{name}", "bad_type", "Must be an object.")
