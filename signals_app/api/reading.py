"""From a JSON body to signals. By hand, because a batch holds a thousand of them; `schemas.py` describes the shape."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import Invalid, fault
from signals_app.instants import read_instant
from signals_app.services import NewSignal

MAX_BATCH = 1000
MEMBERS: dict[str, tuple[type, str]] = {
    "name": (str, "text"),
    "subject": (str, "text"),
    "correlation": (dict, "an object"),
    "data": (dict, "an object"),
    "external_id": (str, "text"),
    "occurred_at": (str, "text"),
}


def read_batch(body: Mapping[str, Any]) -> list[NewSignal]:
    """The signals of `{signals: [...]}`, 1 to 1000. Raises `Invalid` with paths from `/signals/0`."""
    faults = [fault(pointer("", name), "unknown_key", "No such member.") for name in body if name != "signals"]
    items = body.get("signals")
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH:
        faults.append(fault("/signals", "bad_length", f"A list of 1 to {MAX_BATCH} signals."))
        items = []
    return _read(items, "/signals", faults)


def read_one(body: Mapping[str, Any]) -> NewSignal:
    """The signal of a body. Raises `Invalid` with paths from the body."""
    faults: list[dict[str, str]] = []
    try:
        return _read([body], "", faults)[0]
    except Invalid as error:
        raise strip_index(error) from error


def strip_index(error: Invalid, prefix: str = "") -> Invalid:
    """The same faults with `/0` gone from their paths, or with `prefix` before the index."""
    found = [] if isinstance(error.detail, Mapping) else error.detail
    cut = "" if prefix else "/0"
    return Invalid(error.message, [{**entry, "path": prefix + entry["path"].removeprefix(cut)} for entry in found])


def _read(items: list[Any], path: str, faults: list[dict[str, str]]) -> list[NewSignal]:
    for index, item in enumerate(items):
        faults += _faults(item, f"{path}/{index}")
    if faults:
        raise Invalid("The signal is not valid.", faults)
    return [NewSignal(**{**item, "occurred_at": read_instant(item.get("occurred_at"))}) for item in items]


def _faults(item: Any, path: str) -> Iterator[dict[str, str]]:
    if not isinstance(item, dict):
        yield fault(path, "not_an_object", "A signal is an object.")
        return
    if "name" not in item:
        yield fault(f"{path}/name", "missing", "Say what happened.")
    for name, value in item.items():
        if name not in MEMBERS:
            yield fault(pointer(path, name), "unknown_key", "No such member.")
        elif not isinstance(value, MEMBERS[name][0]):
            yield fault(f"{path}/{name}", "bad_type", f"Must be {MEMBERS[name][1]}.")
        elif name == "occurred_at" and read_instant(value) is None:
            yield fault(f"{path}/{name}", "bad_time", "An instant with an offset, such as 2026-11-20T09:30:00Z.")
