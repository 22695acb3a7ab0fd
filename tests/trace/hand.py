"""A superuser's hand that tampers at random with runs of a tenant: their lines, where they stand, their work."""

# ruff: noqa: S608  the statements are put together from this file's own words

import random
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tenants.models import Tenant
from tests.trace.tampering import COLUMNS
from workflows.models.step_run import AttemptStatus, StepRunStatus
from workflows.states import Reason, RunState
from workflows.store.chain import digest

OF_WORK = "step_run_id IN (SELECT id FROM workflows_steprun WHERE run_id = r.id)"
LINE = COLUMNS.split(", ")
LONG_AGO = "2020-01-01T00:00:00Z"
VALUES: dict[str, Any] = {
    "step": ["", "grace", "second", "ask", "elsewhere"],
    "visit": [0, 1, 2, 7],
    "delivery": [None, "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10"],
    "cause": ["api", "signal", "step", "timer", "operator"],
    "cause_ref": ["", "x", "forged"],
    "from_state": ["", *map(str, RunState)],
    "to_state": list(map(str, RunState)),
    "reason": list(map(str, Reason)),
    "context": [Jsonb({}), Jsonb({"signal": "invoice.paid"}), Jsonb({"terminal_reason": "none"})],
    "prev_hash": [bytes(32), b"\1" * 32],
    "hash": [bytes(32), b"\2" * 32],
}
STANDS: dict[str, Any] = {
    "state": list(map(str, RunState)),
    "step": ["", "grace", "second", "ask", "elsewhere"],
    "visits": [Jsonb({}), Jsonb({"grace": 9})],
    "status_reason": list(map(str, Reason)),
    "status_context": [Jsonb({}), Jsonb({"why": "forged"})],
    "terminal_reason": ["", "paid", "forged"],
    "pending_signals": [0, 1, 5],
    "seq": [1, 2, 9, 40],
    "revision": [1, 2, 9, 40],
    "chain_head": [bytes(32), b"\3" * 32],
    "due_at": [None, LONG_AGO],
    "finished_at": [None, LONG_AGO],
    "suspended_until": [LONG_AGO],
    "created_at": [LONG_AGO],
    "definition_key": ["dunning", "asked", "forged"],
    "started_by": ["api", "operator", "signal"],
    "started_by_ref": ["", "forged"],
}
WORKS: dict[str, Any] = {
    "status": list(map(str, StepRunStatus)),
    "outcome": ["", "delivered", "permanent_failure", "unknown", "forged"],
    "finished_at": [None, LONG_AGO],
    "step": ["elsewhere"],
    "visit": [7],
    "resend": [1],
}
TRIES: dict[str, Any] = {
    "status": list(map(str, AttemptStatus)),
    "outcome": ["", "delivered", "permanent_failure", "unknown", "forged"],
    "error": ["", "forged"],
    "finished_at": [None, LONG_AGO],
    "number": [7],
}
WAITS: dict[str, Any] = {"due_at": [None, LONG_AGO], "step": ["elsewhere"], "visit": [7], "closed_at": [LONG_AGO]}


class Hand:
    """A superuser's, with a seed. Each deed tampers with one run and says whether anything is other than it was."""

    def __init__(self, connection: psycopg.Connection[Any], tenant: Tenant, seed: int) -> None:
        self.sql, self.tenant, self.chance = connection.execute, tenant, random.Random(seed)
        runs = self.sql("SELECT id, public_id, seq FROM workflows_run WHERE tenant_id = %s ORDER BY id", [tenant.pk])
        self.runs = [(run_id, str(public_id), seq) for run_id, public_id, seq in runs.fetchall()]
        worked = self.sql("SELECT run_id FROM workflows_steprun WHERE tenant_id = %s", [tenant.pk]).fetchall()
        self.working = [run for run in self.runs if (run[0],) in worked]
        self.run, self.name, self.last = self.runs[0]
        self.forged = ""  # what of the row, to be told when nobody noticed
        self.before = {run_id: self.stored(run_id) for run_id, *_ in self.runs}

    def tamper(self) -> tuple[str, bool]:
        """Choose a run and a deed; what it was, and whether it changed anything."""
        self.run, self.name, self.last = self.chance.choice(self.runs)
        deed = self.chance.choice(
            [
                self.edit,
                self.rewrite,
                self.digest,
                self.delete,
                self.insert,
                self.swap,
                self.cut,
                self.forge,
                self.forge_wait,
                self.forge_work,
                self.forge_try,
            ]
        )
        deed()
        return deed.__name__, self.stored(self.run) != self.before[self.run]

    def stored(self, run_id: int) -> Any:
        lines = "(SELECT string_agg(t::text, '' ORDER BY seq) FROM workflows_transition t WHERE run_id = r.id)"
        wait = "(SELECT w::text FROM workflows_wait w WHERE run_id = r.id AND closed_at IS NULL)"
        work = "(SELECT string_agg(s::text, '' ORDER BY id) FROM workflows_steprun s WHERE run_id = r.id)"
        tries = f"(SELECT string_agg(a::text, '' ORDER BY id) FROM workflows_attempt a WHERE {OF_WORK})"
        told = f"SELECT r::text, {lines}, {wait}, {work}, {tries} FROM workflows_run r WHERE id = %s"
        return self.sql(told, [run_id]).fetchone()

    def seq(self, first: int = 1) -> int:
        return self.chance.randint(first, self.last)

    def change(self, seq: int, column: str, value: Any) -> None:
        where = [value, self.run, seq]
        self.sql(f"UPDATE workflows_transition SET {column} = %s WHERE run_id = %s AND seq = %s", where)

    def edit(self) -> None:
        """One column of one line."""
        column = self.chance.choice(list(VALUES))
        self.change(self.seq(), column, self.chance.choice(VALUES[column]))

    def rewrite(self) -> None:
        """One line, and its hash with it."""
        seq = self.seq()
        self.change(seq, "cause_ref", f"forged {self.chance.random()}")
        self.rehash(seq)

    def rehash(self, seq: int) -> None:
        statement = f"SELECT {COLUMNS}, prev_hash FROM workflows_transition WHERE run_id = %s AND seq = %s"
        row = self.sql(statement, [self.run, seq]).fetchone()
        assert row is not None
        *content, prev = row
        named = dict(zip(LINE, content, strict=True))
        named["delivery"] = str(named["delivery"]) if named["delivery"] else None
        self.change(seq, "hash", digest(prev=prev, tenant_id=self.tenant.pk, run=self.name, **named))

    def digest(self) -> None:
        """The address of a payload, where a line names one; elsewhere one is added."""
        other = self.chance.randbytes(32).hex()
        added = Jsonb({self.chance.choice(["payload", "why"]): other})
        where = [added, self.run, self.seq()]
        self.sql("UPDATE workflows_transition SET context = context || %s WHERE run_id = %s AND seq = %s", where)

    def delete(self) -> None:
        """Some lines, anywhere."""
        gone = self.chance.sample(range(1, self.last + 1), self.chance.randint(1, self.last))
        self.sql("DELETE FROM workflows_transition WHERE run_id = %s AND seq = ANY(%s)", [self.run, gone])

    def insert(self) -> None:
        """A copy of a line, at the end or in the middle, and half the time chained to the one before."""
        at, copied = self.seq(2) if self.chance.random() < 0.5 else self.last + 1, self.seq()
        for shift in (1000, -999):  # the unique key is judged row by row
            where = [shift, self.run, at]
            self.sql("UPDATE workflows_transition SET seq = seq + %s WHERE run_id = %s AND seq >= %s", where)
        copied += copied >= at
        names = f"tenant_id, run_id, {COLUMNS}, prev_hash, hash"
        given = names.replace("seq", "%s", 1)
        statement = f"INSERT INTO workflows_transition ({names}) SELECT {given} FROM workflows_transition"
        self.sql(f"{statement} WHERE run_id = %s AND seq = %s", [at, self.run, copied])
        if self.chance.random() < 0.5:
            row = self.sql(
                "SELECT hash FROM workflows_transition WHERE run_id = %s AND seq = %s", [self.run, at - 1]
            ).fetchone()
            assert row is not None
            self.change(at, "prev_hash", row[0])
            self.rehash(at)

    def swap(self) -> None:
        """Two lines change places."""
        one, other = self.chance.sample(range(1, self.last + 1), 2)
        for old, new in ((one, 5000), (other, one), (5000, other)):
            self.change(old, "seq", new)

    def cut(self) -> None:
        """The end of the trace, and half the time the run is made to stand where the rest ends."""
        keep = self.chance.randint(1, self.last - 1)
        self.sql("DELETE FROM workflows_transition WHERE run_id = %s AND seq > %s", [self.run, keep])
        if self.chance.random() < 0.5:
            statement = (
                "UPDATE workflows_run SET seq = %s, revision = %s, chain_head = "
                "(SELECT hash FROM workflows_transition WHERE run_id = %s AND seq = %s) WHERE id = %s"
            )
            self.sql(statement, [keep, keep, self.run, keep, self.run])

    def forge(self) -> None:
        """Where the run stands."""
        column = self.chance.choice(list(STANDS))
        value = self.chance.choice(STANDS[column])
        self.forged = f"{column} = {value!r}"
        self.sql(f"UPDATE workflows_run SET {column} = %s WHERE id = %s", [value, self.run])

    def forge_wait(self) -> None:
        """The open wait of the run says something else, or is gone; or the run ended without a line saying so."""
        where = "WHERE run_id = %s AND closed_at IS NULL"
        if self.chance.random() < 0.3:
            self.sql(f"DELETE FROM workflows_wait {where}", [self.run])
            return
        if self.chance.random() < 0.2:
            statement = "UPDATE workflows_run SET finished_at = %s WHERE id = %s AND finished_at IS NULL"
            self.sql(statement, [LONG_AGO, self.run])
            return
        column = self.chance.choice(list(WAITS))
        self.sql(f"UPDATE workflows_wait SET {column} = %s {where}", [self.chance.choice(WAITS[column]), self.run])

    def forge_work(self) -> None:
        """How a step ended, or that there was one."""
        self._forge("workflows_steprun", "run_id = %s", WORKS)

    def forge_try(self) -> None:
        """What came of an attempt, or that there was one."""
        self._forge("workflows_attempt", OF_WORK.replace("r.id", "%s"), TRIES)

    def _forge(self, table: str, where: str, values: dict[str, Any]) -> None:
        self.run, self.name, self.last = self.chance.choice(self.working)
        one = self.chance.choice(self.sql(f"SELECT id FROM {table} WHERE {where} ORDER BY id", [self.run]).fetchall())
        if self.chance.random() < 0.2:
            self.sql(f"DELETE FROM {table} WHERE id = %s", one)
            return
        column = self.chance.choice(list(values))
        value = self.chance.choice(values[column])
        self.forged = f"{column} = {value!r}"
        self.sql(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, *one])
