"""Mapping: where in a sender's own body the parts of a signal lie, so that it posts what it posts today.

Each part is a dotted path into the body (`data.object.id`, `items.0.sku`), `header:<name>`, or `{const: <text>}`:

    {name: type, subject: data.object.customer, correlation: {invoice_id: data.object.id}, external_id: id}

The name and the external id must be there. A subject, correlation value or time that a body does not have is left out,
because one source sends many kinds of events; one of the wrong type is refused by its path.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from chimeway_py.errors import Invalid, fault
from signals_app.instants import read_instant
from signals_app.services.new_signal import ATTRIBUTE, NAME, NewSignal

Headers = Mapping[str, str]
Place = str | Mapping[str, str]  # where one part lies
PARTS = {"name", "subject", "correlation", "external_id", "occurred_at"}
_PATH = re.compile(r"[^.\s\0]{1,100}(\.[^.\s\0]{1,100}){0,15}")
_HEADER = re.compile(r"header:[A-Za-z0-9-]{1,100}")
_MISSING: Any = object()
_LAST_SECOND = 253_402_300_799  # of the year 9999


def check_mapping(mapping: Any, name_map: Any) -> list[dict[str, str]]:
    """Everything that is wrong with a mapping, with JSON Pointers from `/mapping` and `/name_map`."""
    if not isinstance(mapping, Mapping):
        return [fault("/mapping", "not_an_object", "An object of places.")]
    return [fault(path, code, message) for path, code, message in (*_mapping_faults(mapping), *_name_faults(name_map))]


def map_signal(
    *,
    mapping: Mapping[str, Any],
    name_map: Mapping[str, str],
    source: str,
    default_external_id: str,
    headers: Headers,
    body: Mapping[str, Any],
) -> NewSignal:
    """The signal that a body says. Raises `Invalid` naming the path of each part that is missing or of a wrong type."""
    faults: list[dict[str, str]] = []

    def text(place: Place | None, *, required: bool = False) -> str:
        return "" if place is None else _text(place, headers, body, faults, required=required)

    name = text(mapping["name"], required=True)
    correlation = {attribute: text(place) for attribute, place in mapping.get("correlation", {}).items()}
    signal = NewSignal(
        name=name_map.get(name, name),
        subject=text(mapping.get("subject")),
        correlation={attribute: value for attribute, value in correlation.items() if value},
        data=body,
        external_id=text(mapping.get("external_id", default_external_id), required=True),
        source=source,
        occurred_at=_instant(mapping.get("occurred_at"), headers, body, faults),
    )
    if faults:
        raise Invalid("The body does not have what this source is mapped to.", faults)
    return signal


def place_of(mapping: Mapping[str, Any], path: str) -> str:
    """The place in the sender's body that a part of the signal came from, for a fault that names the part."""
    part, _, attribute = path.strip("/").partition("/")
    place = mapping.get(part)
    if attribute and isinstance(place, Mapping):
        place = place.get(attribute)
    return _shown(place) if place else path


def _mapping_faults(mapping: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for part in mapping:
        if part not in PARTS:
            yield f"/mapping/{part}", "unknown_key", f"Known are {', '.join(sorted(PARTS))}."
    if "name" not in mapping:
        yield "/mapping/name", "missing", "Say where the name of the signal is."
    correlation = mapping.get("correlation", {})
    if not isinstance(correlation, Mapping) or len(correlation) > 8:
        yield "/mapping/correlation", "bad_correlation", "An object of at most 8 names and places."
        correlation = {}
    for attribute, place in correlation.items():
        if not ATTRIBUTE.fullmatch(attribute):
            yield f"/mapping/correlation/{attribute}", "bad_attribute", "1 to 50 lower-case letters, digits and _."
        if not _is_place(place):
            yield f"/mapping/correlation/{attribute}", "bad_place", _PLACES
    for part in PARTS - {"correlation"}:
        if part in mapping and not _is_place(mapping[part]):
            yield f"/mapping/{part}", "bad_place", _PLACES


_PLACES = "A dotted path, header:<name>, or {const: <text>}."


def _name_faults(name_map: Any) -> Iterator[tuple[str, str, str]]:
    if not isinstance(name_map, Mapping) or len(name_map) > 200:
        yield "/name_map", "not_an_object", "An object of at most 200 names of the sender and names of signals."
        return
    for theirs, ours in name_map.items():
        if not isinstance(ours, str) or len(ours) > 100 or not NAME.fullmatch(ours):
            yield f"/name_map/{theirs}", "bad_name", "Lower-case letters, digits and _, in parts joined by dots."


def _is_place(place: Any) -> bool:
    if isinstance(place, Mapping):
        return set(place) == {"const"} and isinstance(place["const"], str) and len(place["const"]) <= 200
    if not isinstance(place, str):
        return False
    return bool(_HEADER.fullmatch(place) if place.startswith("header:") else _PATH.fullmatch(place))


def _text(place: Place, headers: Headers, body: Any, faults: list[dict[str, str]], *, required: bool) -> str:
    value = _value(place, headers, body)
    if isinstance(value, str | int):
        text = str(value).lower() if isinstance(value, bool) else str(value)
        if text or not required:
            return text
    elif value is not _MISSING and value is not None:
        faults.append(fault(_shown(place), "bad_type", "Text, a whole number or a boolean is expected here."))
        return ""
    if required:
        faults.append(fault(_shown(place), "missing", "This source expects a value here."))
    return ""


def _instant(place: Place | None, headers: Headers, body: Any, faults: list[dict[str, str]]) -> datetime | None:
    """An instant from ISO 8601 with an offset, or from whole seconds since 1970."""
    value = _MISSING if place is None else _value(place, headers, body)
    if place is None or value is _MISSING or value is None:
        return None
    if type(value) is int and 0 <= value <= _LAST_SECOND:
        return datetime.fromtimestamp(value, UTC)
    instant = read_instant(value)
    if instant is None:
        faults.append(fault(_shown(place), "bad_time", "ISO 8601 with an offset, or whole seconds since 1970."))
    return instant


def _value(place: Place, headers: Headers, body: Any) -> Any:
    if isinstance(place, Mapping):
        return place["const"]
    if place.startswith("header:"):
        return headers.get(place.removeprefix("header:"), _MISSING)
    for key in place.split("."):
        if isinstance(body, Mapping) and key in body:
            body = body[key]
        elif isinstance(body, list) and key.isascii() and key.isdigit() and len(key) < 7 and int(key) < len(body):
            body = body[int(key)]
        else:
            return _MISSING
    return body


def _shown(place: Place) -> str:
    return "/" + place.replace(".", "/") if isinstance(place, str) and not place.startswith("header:") else str(place)
