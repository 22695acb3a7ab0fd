"""A signal before it is accepted: what it must look like, and every fault at once."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chimeway_py.errors import Invalid, fault
from signals_app.instants import in_utc
from signals_app.services.payloads import canonical, digest
from tenants.ids import new_public_id

NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
ATTRIBUTE = re.compile(r"[a-z0-9_]{1,50}")
MAX_DATA_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class NewSignal:
    """What a sender says happened. Without an external id one is made up, and the signal cannot be a duplicate.

    Correlation values are text; whole numbers and booleans are taken as their JSON text.
    """

    name: str
    subject: str = ""
    correlation: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    external_id: str = ""
    source: str = "api"
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CheckedSignal:
    """A signal that may be stored: correlation as text, the payload as canonical JSON (empty when there is none)."""

    name: str
    subject: str
    correlation: dict[str, str]
    payload: str
    external_id: str
    source: str
    occurred_at: datetime | None
    body_digest: bytes


def check_signals(signals: Sequence[NewSignal]) -> list[CheckedSignal]:
    """The signals, ready to store. Raises `Invalid` listing every fault; paths start with the index: `/3/name`."""
    faults: list[dict[str, str]] = []
    checked = []
    for index, signal in enumerate(signals):
        found = [fault(f"/{index}{path}", code, message) for path, code, message in _faults(signal)]
        faults += found
        if not found:
            checked.append(_checked(signal))
    if faults:
        raise Invalid("The signal is not valid.", faults)
    return checked


def _checked(signal: NewSignal) -> CheckedSignal:
    correlation = {attribute: _text(value) for attribute, value in signal.correlation.items()}
    occurred_at = in_utc(signal.occurred_at)
    said = [signal.name, signal.subject, correlation, signal.data, occurred_at and occurred_at.isoformat()]
    return CheckedSignal(
        name=signal.name,
        subject=signal.subject,
        correlation=correlation,
        payload=canonical(signal.data) if signal.data else "",
        external_id=signal.external_id or str(new_public_id()),
        source=signal.source,
        occurred_at=occurred_at,
        body_digest=digest(canonical(said)),
    )


def _faults(signal: NewSignal) -> Iterator[tuple[str, str, str]]:
    if len(signal.name) > 100 or not NAME.fullmatch(signal.name):
        yield "/name", "bad_name", "Lower-case ASCII letters, digits and _, in parts joined by dots; at most 100."
    if not _storable(signal.subject, 200):
        yield "/subject", "bad_subject", "Text of at most 200 characters, without NUL or lone surrogates."
    if not _storable(signal.external_id, 200):
        yield "/external_id", "bad_id", "Text of at most 200 characters, without NUL or lone surrogates."
    if signal.occurred_at is not None and in_utc(signal.occurred_at) is None:
        yield "/occurred_at", "bad_time", "An instant with an offset, such as 2026-11-20T09:30:00Z."
    yield from _correlation_faults(signal.correlation)
    yield from _data_faults(signal.data)


def _correlation_faults(correlation: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if len(correlation) > 8:
        yield "/correlation", "too_many", "At most 8 correlation values."
    for attribute, value in correlation.items():
        if not ATTRIBUTE.fullmatch(attribute):
            yield "/correlation", "bad_attribute", "Names are 1 to 50 lower-case ASCII letters, digits and _."
        elif not isinstance(value, str | int) or not _storable(_text(value), 200) or value == "":
            yield f"/correlation/{attribute}", "bad_value", "Text of 1 to 200 characters, a whole number or a boolean."


def _data_faults(data: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    try:
        text = canonical(data)
        if len(text.encode()) > MAX_DATA_BYTES:
            yield "/data", "too_large", f"At most {MAX_DATA_BYTES} bytes."
    except (ValueError, TypeError, RecursionError):
        yield "/data", "not_json", "A JSON object of finite numbers and well-formed text."
        return
    # Searched in the text first, because it is there once in a million: an escaped backslash may look like it.
    if r"\u0000" in text and _holds_nul(data):
        yield "/data", "nul", "Text must not contain NUL."


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any("\0" in key or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list | tuple) and any(map(_holds_nul, value))


def _storable(text: Any, limit: int) -> bool:
    if not isinstance(text, str) or len(text) > limit or "\0" in text:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
