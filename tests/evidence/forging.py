"""A superuser who knows the chain and folds as we do: afterwards `verify_trace` finds nothing."""

# ruff: noqa: S608  the statements are put together from this file's own words

import json
from dataclasses import asdict
from typing import Any

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.trace.tampering import COLUMNS, guards_down
from workflows.models import Run, Transition
from workflows.store.chain import GENESIS, digest
from workflows.trace import fold

_REOPEN = "UPDATE workflows_wait SET closed_at = NULL, outcome = '' WHERE run_id = %s AND step = %s"
_SET_CLOCK = """
UPDATE workflows_run r SET due_at = w.due_at FROM workflows_wait w
 WHERE w.run_id = r.id AND w.closed_at IS NULL AND r.id = %s
"""
_STONE = "run_public_id, definition_key, version, state, created_at, finished_at, pruned_by, reason, archive, pruned_at"


class Forger:
    """Walks past every guard, and leaves traces that agree with themselves and with their runs."""

    def __init__(self, tenant: Tenant, postgres: Postgres) -> None:
        self.tenant, self.postgres = tenant, postgres

    def do(self, *statements: tuple[str, list[Any]]) -> None:
        """As a superuser, with the triggers of traces and tombstones off."""
        with self.postgres.connect() as connection, connection.transaction():
            connection.execute("SET LOCAL session_replication_role = replica")
            with guards_down(connection), guards_down(connection, "workflows_tombstone"):
                for statement, values in statements:
                    connection.execute(statement, values)

    def cut(self, run: Run, keep: int) -> None:
        """Take away the end of a trace, and let the run stand where the rest ends."""
        self.do(("DELETE FROM workflows_transition WHERE run_id = %s AND seq > %s", [run.pk, keep]))
        self.settle(run)

    def rewrite(self, run: Run, seq: int) -> None:
        """Change a line, and hash it and all that follow anew."""
        self.do(("UPDATE workflows_transition SET cause_ref = 'forged' WHERE run_id = %s AND seq = %s", [run.pk, seq]))
        names, prev = COLUMNS.split(", "), GENESIS
        for line in self.lines(run):
            content = {name: getattr(line, name) for name in names}
            content["delivery"] = str(line.delivery) if line.delivery else None
            own = digest(prev=prev, tenant_id=self.tenant.pk, run=str(run.public_id), **content)
            statement = "UPDATE workflows_transition SET prev_hash = %s, hash = %s WHERE run_id = %s AND seq = %s"
            self.do((statement, [prev, own, run.pk, line.seq]))
            prev = own
        self.settle(run)

    def settle(self, run: Run) -> None:
        """Write into the run what its lines give, its clock and its open wait as well."""
        lines = self.lines(run)
        told = asdict(fold(lines)) | {"chain_head": bytes(lines[-1].hash)}
        told["due_at"] = run.created_at if told["state"] == "pending" else None
        told["finished_at"] = run.finished_at if told["state"] == "completed" else None
        values = [json.dumps(value) if isinstance(value, dict) else value for value in told.values()]
        assigned = ", ".join(f"{name} = %s" for name in told)
        self.do((f"UPDATE workflows_run SET {assigned} WHERE id = %s", [*values, run.pk]))
        if told["state"] == "waiting":
            self.do((_REOPEN, [run.pk, told["step"]]), (_SET_CLOCK, [run.pk]))

    def remove(self, run: Run) -> None:
        """A run and its trace, without a tombstone."""
        for table in ("transition", "listener", "wait", "signalverdict", "run"):
            column = "id" if table == "run" else "run_id"
            self.do((f"DELETE FROM workflows_{table} WHERE {column} = %s", [run.pk]))

    def bury(self, run: Run, length: int) -> None:
        """Write a tombstone by hand."""
        names = f"tenant_id, run_id, {_STONE}, length, last_hash, transaction_id"
        values = [self.tenant.pk, run.pk, run.public_id, run.definition_key, 1, run.state, run.created_at]
        values += [run.finished_at, "ada", "too old", "", run.finished_at, length, b"\1" * 32, 1]
        marks = ", ".join(["%s"] * len(values))
        self.do((f"INSERT INTO workflows_tombstone ({names}) VALUES ({marks})", values))

    def rebury(self, run: Run) -> None:
        """Let a tombstone tell another end."""
        self.do(("UPDATE workflows_tombstone SET last_hash = %s WHERE run_id = %s", [b"\2" * 32, run.pk]))

    def lines(self, run: Run) -> list[Transition]:
        """The trace as it stands."""
        with tenant_scope(self.tenant.pk):
            return list(Transition.objects.filter(tenant_id=self.tenant.pk, run_id=run.pk).order_by("seq"))
