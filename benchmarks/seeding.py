"""Very many runs, as the product would have written them: one is made by the service, the others are cast from it.

The rows of the one become a mould. Ids, keys and the hash chain are made anew for each cast, with the product's own
functions, so that `verify_trace` holds; everything else is the same, and goes to PostgreSQL by COPY.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from chimeway_py.embedded.postgres import Postgres
from tenants.ids import new_public_id
from workflows.store.chain import GENESIS, digest

RUN, TRANSITION = "workflows_run", "workflows_transition"
OTHERS = ("workflows_listener", "workflows_wait")
CHUNK = 20_000  # runs in one transaction
HASHED = (
    *("seq", "step", "visit", "delivery", "cause", "cause_ref"),
    *("from_state", "to_state", "reason", "context", "occurred_at"),
)
Connection = psycopg.Connection[Any]
Lines = dict[str, list[str]]


def seed(
    postgres: Postgres, tenant_id: int, public_id: uuid.UUID, keys: Iterable[str], progress: Callable[[int], None]
) -> int:
    """Cast a run for each key from the run with this public id, whose key is a `marker()`; how many.

    After each part `progress` is told how many there are.
    """
    made, rest = 0, iter(keys)
    with postgres.connect() as connection:
        mould = Mould(connection, tenant_id, public_id)
        while some := list(islice(rest, CHUNK)):
            with connection.transaction():
                # a superuser may leave out the checks of foreign keys: the rows they ask for are written here
                connection.execute("SET LOCAL session_replication_role = replica")
                mould.cast(some)
            made += len(some)
            progress(made)
    return made


def vacuum(postgres: Postgres) -> None:
    """What autovacuum would have done to tables that grew so in a natural way."""
    with postgres.connect() as connection:
        connection.execute("VACUUM ANALYZE")


def checkpoint(postgres: Postgres) -> None:
    """Bring everything to the disk: from here on each page is written whole once, when it is first touched."""
    with postgres.connect() as connection:
        connection.execute("CHECKPOINT")


def marker() -> str:
    """A key for the run that becomes the mould: no other text holds it."""
    return f"mould-{uuid.uuid4().hex}"


class Mould:
    """The rows of one run as text of COPY, with gaps for what differs."""

    def __init__(self, connection: Connection, tenant_id: int, public_id: uuid.UUID) -> None:
        self.connection, self.tenant_id, self.public_id = connection, tenant_id, public_id
        (run,) = self._rows(RUN, "public_id", public_id)
        self.marker = marker_in(run["subject"])
        self.columns: dict[str, list[str]] = {}
        self.run = self._template(RUN, {"id": "id", "chain_head": "head"}, run["id"])[0]
        self.lines = self._template(
            TRANSITION, {"run_id": "id", "prev_hash": "prev", "hash": "hash"}, run["id"], order="seq"
        )
        self.others = {table: self._template(table, {"run_id": "id"}, run["id"]) for table in OTHERS}
        hashed = sorted(self._rows(TRANSITION, "run_id", run["id"]), key=lambda row: int(row["seq"]))
        self.hashed = [{name: row[name] for name in HASHED} for row in hashed]

    def cast(self, keys: Sequence[str]) -> None:
        """Write a run for each key."""
        first = self._reserve(len(keys))
        made: Lines = {table: [] for table in (RUN, TRANSITION, *OTHERS)}
        for run_id, key in enumerate(keys, first):
            self._cast_one({"id": run_id, "key": key, "public_id": str(new_public_id())}, made)
        for table, lines in made.items():
            self._copy(table, lines)

    def _cast_one(self, gaps: dict[str, Any], made: Lines) -> None:
        head = GENESIS
        for line, fields in zip(self.lines, self.hashed, strict=True):
            prev, head = head, digest(prev=head, tenant_id=self.tenant_id, run=gaps["public_id"], **fields)
            made[TRANSITION].append(line % {**gaps, "prev": prev.hex(), "hash": head.hex()})
        made[RUN].append(self.run % {**gaps, "head": head.hex()})
        for table, templates in self.others.items():
            made[table] += [template % gaps for template in templates]

    def _reserve(self, count: int) -> int:
        """The first of so many ids in a row."""
        sequence = "pg_get_serial_sequence('workflows_run', 'id')"
        with self.connection.cursor() as cursor:
            last = cursor.execute(
                f"SELECT setval({sequence}, nextval({sequence}) + %s)",
                [count],
            ).fetchone()
        return int(last[0]) - count  # type: ignore[index]

    def _copy(self, table: str, lines: Iterable[str]) -> None:
        names = sql.SQL(", ").join(map(sql.Identifier, self.columns[table]))
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for part in parts(lines):
                copy.write(part)

    def _rows(self, table: str, by: str, value: Any) -> list[dict[str, Any]]:
        statement = sql.SQL("SELECT * FROM {} WHERE tenant_id = %s AND {} = %s")
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                statement.format(sql.Identifier(table), sql.Identifier(by)), [self.tenant_id, value]
            ).fetchall()

    def _template(self, table: str, gaps: dict[str, str], run_id: int, order: str = "id") -> list[str]:
        """A line for each row that the run has in the table. What PostgreSQL numbers itself is left out."""
        own = "id" if table == RUN else "run_id"
        names = [
            name
            for (name,) in self.connection.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_name = %s ORDER BY ordinal_position",
                [table],
            )
            if name != "id" or table == RUN
        ]
        self.columns[table] = names
        as_text = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in names)
        statement = sql.SQL("SELECT {} FROM {} WHERE tenant_id = %s AND {} = %s ORDER BY {}").format(
            as_text, sql.Identifier(table), sql.Identifier(own), sql.Identifier(order)
        )
        found = self.connection.execute(statement, [self.tenant_id, run_id]).fetchall()
        return ["\t".join(map(self._field, (gaps.get(name, "") for name in names), row)) + "\n" for row in found]

    def _field(self, gap: str, value: str | None) -> str:
        if gap:
            return f"%({gap})s" if gap == "id" else f"\\\\x%({gap})s"
        if value is None:
            return "\\N"
        text = value.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("%", "%%")
        return text.replace(self.marker, "%(key)s").replace(str(self.public_id), "%(public_id)s")


def marker_in(subject: str) -> str:
    """The marker that a run's subject holds. Raises ValueError when there is none."""
    found = re.search(r"mould-[0-9a-f]{32}", subject)
    if found is None:
        raise ValueError(f"{subject} was not made to be a mould")
    return found.group()


def parts(lines: Iterable[str], size: int = 500) -> Iterator[bytes]:
    """The lines in larger pieces."""
    rest = iter(lines)
    while some := list(islice(rest, size)):
        yield "".join(some).encode()
