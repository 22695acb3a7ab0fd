"""What goes over the wire: statements, and messages that carry one with its parameters and later its answer."""

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import Cursor, errors
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer
from psycopg.pq import Format
from psycopg.pq.abc import PGconn, PGresult

Parameters = Sequence[Any] | Mapping[str, Any]
Rows = list[tuple[Any, ...]]


class Statement:
    """One text on one connection: its placeholders, how to read its answers, its plans by types of parameters."""

    __slots__ = ("plans", "query", "transformer", "uses")

    def __init__(self, text: str, parameters: Parameters, context: Cursor[Any]) -> None:
        self.transformer = Transformer(context)
        self.query = PostgresQuery(self.transformer)
        self.query.convert(text, parameters)
        self.plans: dict[tuple[int, ...], bytes] = {}
        self.uses = 0


class Message:
    """A statement with its parameters on their way, and later its answer."""

    __slots__ = ("formats", "is_new", "parameters", "plan", "result", "statement", "types")

    def __init__(self, statement: Statement, parameters: Parameters) -> None:
        query = statement.query
        query.dump(parameters)
        self.statement, self.parameters, self.formats, self.types = statement, query.params, query.formats, query.types
        query.params = None  # a statement outlives its parameters, which may be large
        self.plan: bytes | None = None  # its name; `is_new` if it is made with this message
        self.is_new = False
        self.result: PGresult | None = None

    def send(self, to: PGconn) -> None:
        """Give it to libpq, which keeps it until it has 64 kB or is told to flush."""
        query = self.statement.query.query
        if self.plan and self.is_new:
            to.send_prepare(self.plan, query, param_types=self.types)
        if self.plan:
            to.send_query_prepared(self.plan, self.parameters, param_formats=self.formats, result_format=Format.BINARY)
        else:
            to.send_query_params(query, self.parameters, self.types, self.formats, Format.BINARY)

    def rows(self) -> Rows:
        """What the statement returned: no rows, if it is one that returns none."""
        if self.result is None:
            raise errors.ProgrammingError("the statement was not sent")
        reader = self.statement.transformer
        reader.set_pgresult(self.result)
        rows = reader.load_rows(0, self.result.ntuples, tuple)
        reader.set_pgresult(None)
        return rows

    @property
    def count(self) -> int:
        """How many rows it touched or returned."""
        return (self.result and self.result.command_tuples) or 0
