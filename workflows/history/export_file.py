"""Reading an export: every line is there, in a form that we know, and the last one vouches for them."""

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chimeway_py.api.json_gate import MAX_DEPTH, MAX_MEMBERS, read_json
from chimeway_py.errors import Invalid, fault
from workflows.history.exporting import FORMAT

Row = dict[str, Any]
_ONCE = frozenset({"export", "definition", "run"})
_DEPTH, _MEMBERS = MAX_DEPTH + 8, 2 * MAX_MEMBERS  # a body that was taken stands inside a line


class BadExport(Invalid):
    """This is not a whole export of a run."""

    code = "bad_export"


@dataclass(slots=True)
class Export:
    """What an export holds. `rows` has those of each kind in the order in which they were written.

    `contents` has, beside each row, what was sealed in it; None for nothing. `places` has the number of each line.
    """

    head: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)
    payloads: dict[bytes, Any] = field(default_factory=dict)
    run: Row = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    contents: dict[str, list[Any]] = field(default_factory=dict)
    places: dict[str, list[int]] = field(default_factory=dict)

    def place(self, kind: str) -> int:
        """The line that the only entry of a kind stands on."""
        return self.places[kind][0]

    def take(self, entry: Mapping[str, Any], number: int) -> None:
        """Put one line where it belongs. Raises `KeyError`, `TypeError` or `ValueError`."""
        if entry["kind"] in _ONCE and entry["kind"] in self.places:
            raise ValueError("there is one already")
        self.places.setdefault(entry["kind"], []).append(number)
        match entry["kind"]:
            case "export":
                self.head = entry
            case "definition":
                self.definition = entry
            case "payload":
                self.payloads[bytes.fromhex(entry["address"])] = entry["body"]
            case "run":
                self.run = dict(entry["row"])
            case kind:
                self.rows.setdefault(str(kind), []).append(dict(entry["row"]))
                self.contents.setdefault(str(kind), []).append(entry.get("content"))


def read_export(lines: Iterable[str], first: int = 1) -> Export:
    """The export that the lines hold, in memory. Raises `BadExport` naming the first line that is wrong.

    `first` is the number of the first line in its file.
    """
    export, digest, count, last = Export(), hashlib.sha256(), 0, None
    for number, line in enumerate(lines, first):
        if last is not None:
            raise bad_line(number, "after_end", "There is something after the end.")
        entry = _entry(number, line, is_head=number == first)
        if entry["kind"] == "end":
            last = entry
            continue
        try:
            export.take(entry, number)
        except (KeyError, TypeError, ValueError) as error:
            raise bad_line(number, "bad_line", "The line cannot be read.") from error
        digest.update(line.rstrip("\r\n").encode() + b"\n")
        count += 1
    _check_whole(export, last, (first, count), digest.hexdigest())
    return export


def bad_line(number: int, code: str, message: str) -> BadExport:
    """The refusal that names a line of the file."""
    return BadExport("The export cannot be used.", [fault(f"/{number}", code, message)])


def text_of(number: int, line: bytes) -> str:
    """A line of the file as text. Raises `BadExport`."""
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        raise bad_line(number, "bad_encoding", "The line is not UTF-8.") from error


def _entry(number: int, line: str, *, is_head: bool) -> Mapping[str, Any]:
    try:
        entry = read_json(line.encode(), depth=_DEPTH, members=_MEMBERS)
    except Invalid as error:
        faults = [{**one, "path": f"/{number}{one['path']}"} for one in error.detail if isinstance(one, Mapping)]
        raise BadExport("The export cannot be used.", faults) from error
    except ValueError as error:  # half a surrogate pair
        raise bad_line(number, "bad_encoding", "The line is not UTF-8.") from error
    if not isinstance(entry.get("kind"), str):
        raise bad_line(number, "bad_line", "A line is an object with a kind.")
    if is_head and not _is_head(entry):
        raise bad_line(number, "bad_format", f"The first line says that this is an export of format {FORMAT}.")
    if entry["kind"] == "definition" and not _is_definition(entry):
        raise bad_line(number, "bad_line", "A document, and a version from 1.")
    return entry


def _is_head(entry: Mapping[str, Any]) -> bool:
    number = entry.get("tenant_number")
    return (entry["kind"], entry.get("format")) == ("export", FORMAT) and type(number) is int and 0 < number < 2**63


def _is_definition(entry: Mapping[str, Any]) -> bool:
    number = entry.get("version")
    return isinstance(entry.get("document"), dict) and type(number) is int and 0 < number < 2**31


def _check_whole(export: Export, last: Mapping[str, Any] | None, counted: tuple[int, int], digest: str) -> None:
    first, count = counted
    if last is None or (last.get("lines"), last.get("sha256")) != (count, digest):
        raise bad_line(first + count, "not_whole", "The lines are not those that the last line counts.")
    if not (export.run and export.definition and export.rows.get("transition")):
        raise bad_line(first + count, "not_whole", "The run, its definition or its trace is missing.")
    if str(export.run.get("public_id")) != str(export.head.get("run")):
        raise bad_line(first, "other_run", "The head names another run.")
    origin = export.head.get("replayed_from")
    if origin is not None and not _is_uuid(origin):
        raise bad_line(first, "bad_line", "replayed_from is no id of a run.")


def _is_uuid(text: Any) -> bool:
    try:
        return bool(uuid.UUID(text))
    except (AttributeError, TypeError, ValueError):
        return False
