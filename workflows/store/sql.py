"""Running set-based SQL on the current connection. Statements name the tenant themselves; row-level security backs them.

Django's cursor gives jsonb as text and binds parameters on the client; the driver's own cursor decodes jsonb and sends arrays as
they are. Errors come out as `django.db` errors all the same.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.json import JsonbLoader, JsonLoader


def fetch(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    """All rows that a statement returns."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).fetchall()


def execute(statement: str, parameters: Sequence[Any]) -> int:
    """Run a statement; the number of rows it touched."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).rowcount


def columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    """Rows turned into `width` columns, for `unnest`."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


@contextmanager
def _cursor() -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor(row_factory=psycopg.rows.tuple_row) as cursor:
        cursor.adapters.register_loader("jsonb", JsonbLoader)
        cursor.adapters.register_loader("json", JsonLoader)
        yield cursor
