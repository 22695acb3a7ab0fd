"""Running set-based SQL on the current connection.

Statements name the tenant themselves; row-level security backs them. Django's cursor gives jsonb as text, binds
parameters on the client and reads text; the driver's own cursor decodes jsonb, sends arrays as they are and reads
binary, which spares parsing times. Errors come out as `django.db` errors all the same.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format, PipelineStatus

from chimeway_py.jsontext import decode
from tenants.packing import Packed, PackedDumper, columns_packed

Columns = Mapping[str, str]  # column name -> PostgreSQL type, in order
Parameters = Sequence[Any] | Mapping[str, Any]
Rows = list[tuple[Any, ...]]
Question = tuple[str, Parameters]  # a statement and what it is asked with


def fetch(statement: str, parameters: Parameters) -> Rows:
    """All rows that a statement returns."""
    return ask(statement, parameters)()


def fetch_each(*asked: Question) -> list[Rows]:
    """All rows of each statement, sent together: one trip to the server. Each sees what was committed when it ran."""
    with pipelined():
        answers = [ask(*one) for one in asked]
    return [answer() for answer in answers]


def ask(statement: str, parameters: Parameters) -> Callable[[], Rows]:
    """Send a statement; what is returned gives its rows, once.

    Inside `pipelined` nothing waits for them until they are read, which is best done after it.
    """
    with _cursor(keep=True) as cursor:
        cursor.execute(statement, parameters, binary=True)

    def rows() -> Rows:
        with connection.wrap_database_errors:
            found = cursor.fetchall()
        _idle().append(cursor)
        return found

    return rows


def stream(statement: str, parameters: Parameters, size: int = 1000) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement, seen at one moment, `size` of them in memory. Only inside a transaction."""
    connection.ensure_connection()
    opened = psycopg.ServerCursor(connection.connection, f"stream_{uuid.uuid4().hex}")
    with connection.wrap_database_errors, opened as cursor:
        _taught(cursor)
        cursor.itersize = size
        cursor.execute(statement, parameters, binary=True)
        yield from cursor


def execute(statement: str, parameters: Parameters) -> int:
    """Run a statement; the number of rows it touched."""
    with _cursor() as cursor:
        return cursor.execute(statement, parameters).rowcount


@contextmanager
def pipelined() -> Iterator[None]:
    """What `execute` is given inside is sent without waiting for the answer to the statement before.

    Counts are not known inside. An error is raised by a later statement or, at the latest, at the end.
    """
    connection.ensure_connection()
    driver = connection.connection
    if driver.pgconn.pipeline_status != PipelineStatus.OFF:  # entering another would wait for what was sent so far
        yield
        return
    with connection.wrap_database_errors, driver.pipeline():
        yield


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
def _cursor(*, keep: bool = False) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A cursor of the driver; its own `cursor()` would be Django's, which binds on the client."""
    connection.ensure_connection()
    idle = _idle()
    cursor = idle.pop() if idle else _taught(psycopg.Cursor(connection.connection))
    with connection.wrap_database_errors:
        yield cursor
    if not keep:
        idle.append(cursor)


def _idle() -> list[psycopg.Cursor[tuple[Any, ...]]]:
    """Cursors that nobody uses: making one and teaching it our types takes longer than a small statement.

    They lie with their connection and go with it; a table of them, though weak, would keep it, because cursors name it.
    """
    idle: list[psycopg.Cursor[tuple[Any, ...]]] = connection.connection.__dict__.setdefault("chimeway_idle_cursors", [])
    return idle


def _taught(cursor: psycopg.Cursor[tuple[Any, ...]]) -> psycopg.Cursor[tuple[Any, ...]]:
    for type_, loader in _LOADERS:
        cursor.adapters.register_loader(type_, loader)
    cursor.adapters.register_dumper(Packed, PackedDumper)
    return cursor


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
