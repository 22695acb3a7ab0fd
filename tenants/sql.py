"""Running set-based SQL on the current connection.

Statements name the tenant themselves; row-level security backs them. Django's cursor gives jsonb as text, binds
parameters on the client and reads text; the driver's own cursor decodes jsonb, sends arrays as they are and reads
binary, which spares parsing times. Errors come out as `django.db` errors all the same.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from chimeway_py.jsontext import decode
from tenants.packing import Packed, PackedDumper, columns_packed

Columns = Mapping[str, str]  # column name -> PostgreSQL type, in order
Parameters = Sequence[Any] | Mapping[str, Any]


def fetch(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """All rows that a statement returns."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters, binary=True).fetchall()


def stream(statement: str, parameters: Parameters, size: int = 1000) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement, seen at one moment, `size` of them in memory. Only inside a transaction."""
    with _cursor(name=f"stream_{uuid.uuid4().hex}") as cursor:
        assert isinstance(cursor, psycopg.ServerCursor)
        cursor.itersize = size
        cursor.execute(statement, parameters, binary=True)
        yield from cursor


def execute(statement: str, parameters: Parameters) -> int:
    """Run a statement; the number of rows it touched."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).rowcount


def given(columns: Columns, position: str = "") -> str:
    """`unnest(…) AS u (…)`: one array parameter per column, as `arrays` makes them; with a name, numbered from 1."""
    arrays = ", ".join(f"%b::{kind}[]" for kind in columns.values())
    if position:
        return f"unnest({arrays}) WITH ORDINALITY AS u ({', '.join(columns)}, {position})"
    return f"unnest({arrays}) AS u ({', '.join(columns)})"


def insert(table: str, columns: Columns, then: str = "") -> str:
    """Insert any number of one tenant's rows. Parameters: the tenant, then an array per column."""
    names = ", ".join(columns)
    return f"INSERT INTO {table} (tenant_id, {names}) SELECT %s, u.* FROM {given(columns)} {then}"  # noqa: S608


def update(table: str, columns: Columns, assign: str = "", where: str = "true") -> str:
    """Update any number of one tenant's rows by `id`, the first column. Parameters: the tenant, an array per column.

    The tenant is a column of what is given: as a constant it would let the planner walk the tenant's rows and look for
    each in what is given, which is quick for the ten rows that it expects and not for the thousands that it finds.
    """
    own = ", ".join(f"{name} = u.{name}" for name in columns if name != "id")
    assignments = ", ".join(filter(None, [own, assign]))
    return (
        f"UPDATE {table} t SET {assignments} FROM (SELECT %s::bigint AS tenant, u.* FROM {given(columns)} OFFSET 0) u "  # noqa: S608
        f"WHERE t.tenant_id = u.tenant AND t.id = u.id AND {where}"
    )


def arrays(rows: Iterable[Sequence[Any]], columns: Columns) -> list[Packed]:
    """Rows turned into one array per column, in binary: as text an array costs six times as much."""
    return columns_packed(rows, list(columns.values()))


@contextmanager
def _cursor(name: str = "") -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """The driver's cursor; with a name, one that lives in the server."""
    connection.ensure_connection()
    driver = connection.connection  # its own `cursor()` is Django's, which binds on the client
    opened = psycopg.ServerCursor(driver, name) if name else psycopg.Cursor(driver)
    with connection.wrap_database_errors, opened as cursor:
        for type_, loader in _LOADERS:
            cursor.adapters.register_loader(type_, loader)
        cursor.adapters.register_dumper(Packed, PackedDumper)
        yield cursor


class _Json(Loader):
    """A json or jsonb value in the text format."""

    def load(self, data: Buffer) -> Any:
        return decode(data)


class _JsonBinary(_Json):
    """A json value in the binary format, which is its text."""

    format = Format.BINARY


class _JsonbBinary(Loader):
    """A jsonb value in the binary format: a version, then the text."""

    format = Format.BINARY

    def load(self, data: Buffer) -> Any:
        return decode(memoryview(data)[1:])


_LOADERS: tuple[tuple[str, type[Loader]], ...] = (
    ("jsonb", _Json),
    ("json", _Json),
    ("json", _JsonBinary),
    ("jsonb", _JsonbBinary),
)
