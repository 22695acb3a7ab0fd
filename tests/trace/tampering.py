"""A hand that changes traces behind our back: a superuser's, with every guard off."""

# ruff: noqa: S608  the statements are put together from this file's own words

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tests.journeys import drain, paid, run_of, start, waiting_run
from workflows.store.chain import digest
from workflows.verify import verify_trace

Found = list[tuple[int, str]]
Sql = Callable[..., Any]
COLUMNS = "seq, step, visit, delivery, cause, cause_ref, from_state, to_state, reason, context, occurred_at"


class Victim:
    """A run with a trace of five lines, and a superuser's hand that walks past every guard."""

    def __init__(self, tenant: Tenant, postgres: Postgres) -> None:
        self.tenant, self.postgres = tenant, postgres
        self.run_id = waiting_run(tenant)
        paid(tenant)
        drain(tenant)
        self.neighbour = start(tenant, "dunning", "bob")
        drain(tenant)
        self.run = run_of(tenant, self.run_id)

    @contextmanager
    def unguarded(self) -> Iterator[Sql]:
        """SQL as a superuser, with the triggers of the trace off; all of it commits together."""
        with self.postgres.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")  # foreign keys, too
            with guards_down(connection):
                yield connection.execute

    def change(self, seq: int, assignment: str, *values: Any) -> None:
        with self.unguarded() as sql:
            sql(
                f"UPDATE workflows_transition SET {assignment} WHERE run_id = %s AND seq = %s",
                [*values, self.run_id, seq],
            )

    def delete(self, condition: str) -> None:
        with self.unguarded() as sql:
            sql(f"DELETE FROM workflows_transition WHERE run_id = %s AND {condition}", [self.run_id])

    def change_run(self, assignment: str, *values: Any) -> None:
        with self.unguarded() as sql:
            sql(f"UPDATE workflows_run SET {assignment} WHERE id = %s", [*values, self.run_id])

    def add_line(self) -> None:
        """One more line at the end, a copy of the last, chained to it."""
        names = f"tenant_id, run_id, {COLUMNS}, prev_hash, hash"
        copied = names.replace("seq", "6", 1)
        with self.unguarded() as sql:
            sql(
                f"INSERT INTO workflows_transition ({names}) "
                f"SELECT {copied} FROM workflows_transition WHERE run_id = %s AND seq = 5",
                [self.run_id],
            )
        self.rehash(6, 6)

    def value(self, seq: int, column: str) -> Any:
        """What is stored now."""
        with self.unguarded() as sql:
            where = [self.run_id, seq]
            return sql(f"SELECT {column} FROM workflows_transition WHERE run_id = %s AND seq = %s", where).fetchone()[0]

    def rehash(self, first: int, last: int) -> None:
        """Make the lines agree with themselves and each other again, as a forger who knows the chain would."""
        with self.unguarded() as sql:
            for seq in range(first, last + 1):
                self._rehash_one(sql, seq)

    def _rehash_one(self, sql: Sql, seq: int) -> None:
        where = [self.run_id, seq]
        statement = f"SELECT {COLUMNS}, prev_hash FROM workflows_transition WHERE run_id = %s AND seq = %s"
        *content, prev = sql(statement, where).fetchone()
        before = sql("SELECT hash FROM workflows_transition WHERE run_id = %s AND seq = %s", [self.run_id, seq - 1])
        found = before.fetchone()
        prev = found[0] if found else prev
        named = dict(zip(COLUMNS.split(", "), content, strict=True))
        own = digest(prev=prev, tenant_id=self.tenant.pk, run=str(self.run.public_id), **named)
        sql(
            "UPDATE workflows_transition SET prev_hash = %s, hash = %s WHERE run_id = %s AND seq = %s",
            [prev, own, *where],
        )

    def faults(self) -> Found:
        """(seq, code) of every fault; each is of this run and of no other."""
        found = list(verify_trace(tenant_id=self.tenant.pk))
        assert {fault.run for fault in found} <= {str(self.run.public_id)}
        assert found == list(verify_trace(tenant_id=self.tenant.pk, public_id=self.run.public_id))
        return [(fault.seq, str(fault.code)) for fault in found]


@contextmanager
def guards_down(connection: psycopg.Connection[Any], table: str = "workflows_transition") -> Iterator[None]:
    """The triggers of the trace off, and on again as they were: each of them fires always."""
    connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    yield
    guards = f"SELECT tgname FROM pg_trigger WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal"
    for (name,) in connection.execute(guards).fetchall():
        connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")
