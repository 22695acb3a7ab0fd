"""Keys: the values a signal can be found by. A wait that opens asks for them to see what came before it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from tenants.sql import arrays, execute, insert

_KEY = {"signal_id": "bigint", "name": "text", "key": "text", "received_at": "timestamptz"}
_WRITE = insert("signals_app_signalkey", _KEY)


def subject_key(subject: str) -> str:
    """The key of a subject. No correlation attribute starts with @."""
    return f"@subject={subject}"


def correlation_key(attribute: str, value: str) -> str:
    """The key of one correlation value."""
    return f"{attribute}={value}"


def keys_of(subject: str, correlation: Mapping[str, str]) -> list[str]:
    """Every key of a signal: its subject if it has one, and each correlation value."""
    keys = [subject_key(subject)] if subject else []
    return keys + [correlation_key(attribute, value) for attribute, value in correlation.items()]


def write_keys(*, tenant_id: int, received_at: datetime, rows: Iterable[tuple[int, str, str]]) -> None:
    """Write (signal id, name, key) rows in one statement, inside the transaction that writes their signals."""
    if given := [(*row, received_at) for row in rows]:
        execute(_WRITE, [tenant_id, *arrays(given, _KEY)])
