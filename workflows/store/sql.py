"""Running set-based SQL on the current connection.

Statements name the tenant themselves; row-level security backs them. Django's cursor gives jsonb as text and binds
parameters on the client; the driver's own cursor decodes jsonb and sends arrays as they are. Errors come out as
`django.db` errors all the same.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.types.json import JsonbLoader, JsonLoader

Columns = Mapping[str, str]  # column name -> PostgreSQL type, in order
Parameters = Sequence[Any] | Mapping[str, Any]


def fetch(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """All rows that a statement returns."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).fetchall()


def stream(statement: str, parameters: Parameters, size: int = 1000) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement, seen at one moment, `size` of them in memory. Only inside a transaction."""
    with _cursor(name=f"stream_{uuid.uuid4().hex}") as cursor:
        assert isinstance(cursor, psycopg.ServerCursor)
        cursor.itersize = size
        cursor.execute(statement, parameters)
        yield from cursor


def execute(statement: str, parameters: Parameters) -> int:
    """Run a statement; the number of rows it touched."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).rowcount


def given(columns: Columns) -> str:
    """`unnest(…) AS u (…)`: one array parameter per column, in binary: as text an array costs six times as much.

    JSON travels as text, because its arrays do not.
    """
    arrays = (f"%b::text[]::{kind}[]" if kind == "jsonb" else f"%b::{kind}[]" for kind in columns.values())
    return f"unnest({', '.join(arrays)}) AS u ({', '.join(columns)})"


def insert(table: str, columns: Columns, then: str = "") -> str:
    """Insert any number of one tenant's rows. Parameters: the tenant, then an array per column."""
    names = ", ".join(columns)
    return f"INSERT INTO {table} (tenant_id, {names}) SELECT %s, u.* FROM {given(columns)} {then}"  # noqa: S608


def update(table: str, columns: Columns, assign: str = "", where: str = "true") -> str:
    """Update any number of one tenant's rows by `id`, the first column. Parameters: an array per column, the tenant."""
    own = ", ".join(f"{name} = u.{name}" for name in columns if name != "id")
    assignments = ", ".join(filter(None, [own, assign]))
    return (
        f"UPDATE {table} t SET {assignments} FROM {given(columns)} WHERE t.tenant_id = %s AND t.id = u.id AND {where}"  # noqa: S608
    )


def arrays(rows: Sequence[Sequence[Any]], columns: Columns) -> list[list[Any]]:
    """Rows turned into one array per column."""
    return [list(array) for array in zip(*rows, strict=True)] if rows else [[] for _ in columns]


@contextmanager
def _cursor(name: str = "") -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """The driver's cursor; with a name, one that lives in the server."""
    connection.ensure_connection()
    driver = connection.connection  # its own `cursor()` is Django's, which binds on the client
    opened = psycopg.ServerCursor(driver, name) if name else psycopg.Cursor(driver)
    with connection.wrap_database_errors, opened as cursor:
        cursor.adapters.register_loader("jsonb", JsonbLoader)
        cursor.adapters.register_loader("json", JsonLoader)
        yield cursor
