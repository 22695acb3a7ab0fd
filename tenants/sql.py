"""Running set-based SQL on the current connection.

Statements name the tenant themselves; row-level security backs them. Django's cursor gives jsonb as text, binds
parameters on the client and reads text; the wire decodes jsonb, sends arrays as they are and reads binary, which spares
parsing times. Errors come out as `django.db` errors all the same.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.adapt import Buffer, Loader
from psycopg.pq import Format

from chimeway_py.jsontext import decode
from tenants.packing import Packed, PackedDumper, PackedOne, columns_packed
from tenants.wire import Wire
from tenants.wire_message import Message, Parameters, Rows

__all__ = [
    "Columns",
    "Parameters",
    "Question",
    "Rows",
    "arrays",
    "ask",
    "execute",
    "fetch",
    "fetch_each",
    "given",
    "insert",
    "pipelined",
    "push",
    "stream",
    "update",
]

Columns = Mapping[str, str]  # column name -> PostgreSQL type, in order
_GIVEN = re.compile(r"unnest\(((?:%b::\w+\[\](?:, )?)+)\)( WITH ORDINALITY)? AS u")
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
    message = _put(statement, parameters)

    def rows() -> Rows:
        if message.result is None:
            db = _db()
            with db.wrap_database_errors:
                _wire(db).flush()
        return message.rows()

    return rows


def stream(statement: str, parameters: Parameters, size: int = 1000) -> Iterator[tuple[Any, ...]]:
    """The rows of one statement, seen at one moment, `size` of them in memory. Only inside a transaction."""
    db = _db()
    with db.wrap_database_errors:
        _wire(db).flush()
    opened = psycopg.ServerCursor(db.connection, f"stream_{uuid.uuid4().hex}")
    with db.wrap_database_errors, opened as cursor:
        _taught(cursor)
        cursor.itersize = size
        cursor.execute(statement, parameters, binary=True)
        yield from cursor


def execute(statement: str, parameters: Parameters) -> int:
    """Run a statement; the number of rows it touched."""
    return _put(statement, parameters).count


@contextmanager
def pipelined() -> Iterator[None]:
    """What is asked or executed inside is sent together: at the end, or when an answer is read.

    Counts are not known inside. The first error is raised then, and nothing that came after it has run.
    """
    wire = _wire(db := _db())
    if wire.is_gathering:
        yield
        return
    with db.wrap_database_errors, db.execute_wrapper(_after_the_wire), wire.gathering():
        yield


def push() -> None:
    """Inside `pipelined`: let the server begin with what was gathered, while the caller prepares what comes next."""
    db = _db()
    with db.wrap_database_errors:
        _wire(db).push()


def _after_the_wire(execute: Callable[..., Any], *given: Any) -> Any:
    """Statements of the ORM run after what was gathered before them."""
    _wire(_db()).flush()
    return execute(*given)


def given(columns: Columns, position: str = "") -> str:
    """`unnest(…) AS u (…)`: one array parameter per column, as `arrays` makes them; with a name, numbered from 1.

    A single row goes out as `(VALUES (…)) AS u (…)` instead: taking arrays apart costs as much as to write the row.
    """
    arrays = ", ".join(f"%b::{kind}[]" for kind in columns.values())
    if position:
        return f"unnest({arrays}) WITH ORDINALITY AS u ({', '.join(columns)}, {position})"
    return f"unnest({arrays}) AS u ({', '.join(columns)})"


@cache
def _for_one(statement: str) -> str:
    """The statement for a single row."""
    return _GIVEN.sub(lambda found: f"(VALUES ({found[1].replace('[]', '')}{', 1' * bool(found[2])})) AS u", statement)


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


def _put(statement: str, parameters: Parameters) -> Message:
    types = set(map(type, parameters))
    if PackedOne in types and Packed not in types:
        statement = _for_one(statement)
    db = _db()
    with db.wrap_database_errors:
        return _wire(db).put(statement, parameters)


def _db() -> BaseDatabaseWrapper:
    """The connection itself: `django.db.connection` looks for it at each attribute that is asked of it."""
    return connections[DEFAULT_DB_ALIAS]


def _wire(db: BaseDatabaseWrapper) -> Wire:
    """It lies with its connection and goes with it; a table of wires, though weak, would keep it."""
    if db.connection is not None and db.connection.closed and not db.in_atomic_block:  # somebody was interrupted on it
        db.close()
    if db.connection is None:
        db.ensure_connection()
    own = db.connection.__dict__
    wire: Wire | None = own.get("chimeway_wire")
    if wire is None:
        wire = own["chimeway_wire"] = Wire(db.connection, _taught)
    return wire


def _taught(cursor: psycopg.Cursor[tuple[Any, ...]]) -> psycopg.Cursor[tuple[Any, ...]]:
    for type_, loader in _LOADERS:
        cursor.adapters.register_loader(type_, loader)
    for packed in (Packed, PackedOne):
        cursor.adapters.register_dumper(packed, PackedDumper)
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
