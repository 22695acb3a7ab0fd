"""Keys: the values a signal can be found by. A wait that opens asks for them to see what came before it."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from django.db import connection

_WRITE = """
INSERT INTO signals_app_signalkey (tenant_id, signal_id, name, key, received_at)
SELECT %s, signal_id, name, key, %s FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS given (signal_id, name, key)
"""


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
    given = list(rows)
    if given:
        ids, names, keys = (list(column) for column in zip(*given, strict=True))
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [tenant_id, received_at, ids, names, keys])
