"""Reading an export: every line is there, in a form that we know, and the last one vouches for them."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chimeway_py.errors import Invalid, fault
from workflows.history.exporting import FORMAT

Row = dict[str, Any]


class BadExport(Invalid):
    """This is not a whole export of a run."""

    code = "bad_export"


@dataclass(slots=True)
class Export:
    """What an export holds. `rows` has those of each kind in the order in which they were written.

    `contents` has, beside each row, what was sealed in it; None for nothing.
    """

    head: Mapping[str, Any] = field(default_factory=dict)
    definition: Mapping[str, Any] = field(default_factory=dict)
    payloads: dict[bytes, Any] = field(default_factory=dict)
    run: Row = field(default_factory=dict)
    rows: dict[str, list[Row]] = field(default_factory=dict)
    contents: dict[str, list[Any]] = field(default_factory=dict)

    @property
    def public_id(self) -> uuid.UUID:
        """Of the run."""
        return uuid.UUID(self.run["public_id"])

    def take(self, entry: Mapping[str, Any]) -> None:
        """Put one line where it belongs. Raises `KeyError`, `TypeError` or `ValueError`."""
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


def read_export(lines: Iterable[str]) -> Export:
    """The export that the lines hold, in memory. Raises `BadExport` naming the first line that is wrong."""
    export, digest, count, last = Export(), hashlib.sha256(), 0, None
    for number, line in enumerate(lines, 1):
        if last is not None:
            raise _bad(number, "after_end", "There is something after the end.")
        entry = _entry(number, line)
        if entry["kind"] == "end":
            last = entry
            continue
        try:
            export.take(entry)
        except (KeyError, TypeError, ValueError) as error:
            raise _bad(number, "bad_line", "The line cannot be read.") from error
        digest.update(line.rstrip("\r\n").encode() + b"\n")
        count += 1
    _check_whole(export, last, count, digest.hexdigest())
    return export


def _entry(number: int, line: str) -> Mapping[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise _bad(number, "bad_json", "The line is not JSON.") from error
    if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str):
        raise _bad(number, "bad_line", "A line is an object with a kind.")
    if number == 1 and (entry["kind"] != "export" or entry.get("format") != FORMAT):
        raise _bad(1, "bad_format", f"The first line says that this is an export of format {FORMAT}.")
    return entry


def _check_whole(export: Export, last: Mapping[str, Any] | None, count: int, digest: str) -> None:
    if last is None or (last.get("lines"), last.get("sha256")) != (count, digest):
        raise _bad(count + 1, "not_whole", "The lines are not those that the last line counts.")
    if not (export.run and export.definition and export.rows.get("transition")):
        raise _bad(count + 1, "not_whole", "The run, its definition or its trace is missing.")
    if str(export.run.get("public_id")) != str(export.head.get("run")):
        raise _bad(1, "other_run", "The head names another run.")


def _bad(number: int, code: str, message: str) -> BadExport:
    return BadExport("The export cannot be used.", [fault(f"/{number}", code, message)])
