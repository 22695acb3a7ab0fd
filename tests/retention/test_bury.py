"""One way alone leads to deleting lines of a trace, and it is narrow."""

from collections.abc import Callable

import psycopg
import pytest
from django.db import DatabaseError

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tests.journeys import run_of, waiting_run
from tests.retention.conftest import exists, keep, lines_of, prune, sql
from workflows.models import Run
from workflows.retention.tombstones import count_tombstones

BURY = "SELECT id FROM bury_runs(%s, %s, 'ada', 'because', '')"


def test_the_app_role_can_neither_delete_lines_nor_write_tombstones(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run = ended(tenant)

    for statement in (
        "DELETE FROM workflows_transition",
        "UPDATE workflows_transition SET reason = 'woken'",
        "INSERT INTO workflows_tombstone SELECT * FROM workflows_tombstone",
        "UPDATE workflows_tombstone SET reason = 'x'",
        "DELETE FROM workflows_tombstone",
        "TRUNCATE workflows_tombstone",
        "DELETE FROM workflows_run",
    ):
        with pytest.raises(DatabaseError):
            sql(tenant, statement)
    assert lines_of(tenant, run) == run.seq


def test_a_run_that_has_not_ended_is_not_buried(tenant: Tenant, ended: Callable[..., Run]) -> None:
    old, live = ended(tenant), run_of(tenant, waiting_run(tenant))

    assert sql(tenant, BURY, tenant.pk, [live.pk, old.pk, 0]) == [(old.pk,)]

    assert [lines_of(tenant, run) for run in (live, old)] == [live.seq, 0]


def test_nobody_buries_another_tenants_runs(tenant: Tenant, other_tenant: Tenant, ended: Callable[..., Run]) -> None:
    run = ended(tenant)

    with pytest.raises(DatabaseError, match="not that of the scope"):
        sql(other_tenant, BURY, tenant.pk, [run.pk])
    assert sql(other_tenant, BURY, other_tenant.pk, [run.pk]) == []
    assert lines_of(tenant, run) == run.seq


@pytest.mark.parametrize("role", ["chimeway_owner", "postgres"])
@pytest.mark.parametrize("mode", ["origin", "replica"])
def test_neither_owner_nor_superuser_deletes_by_accident(
    tenant: Tenant, ended: Callable[..., Run], postgres: Postgres, role: str, mode: str
) -> None:
    run = ended(tenant)

    with postgres.connect("postgres") as powerful:
        if mode == "replica":
            powerful.execute("SET session_replication_role = replica")
        powerful.execute(f"SET ROLE {role}")
        with pytest.raises(psycopg.errors.RaiseException, match="Cannot delete rows of workflows_transition"):
            powerful.execute("DELETE FROM workflows_transition WHERE tenant_id = %s", [tenant.pk])
    assert lines_of(tenant, run) == run.seq


def test_a_tombstone_alone_opens_nothing(tenant: Tenant, ended: Callable[..., Run], postgres: Postgres) -> None:
    """Not even one written by a superuser in the same transaction: only the function deletes."""
    run = ended(tenant)

    with postgres.connect() as superuser:
        superuser.autocommit = False
        superuser.execute(
            "INSERT INTO workflows_tombstone (tenant_id, run_id, run_public_id, definition_key, version, state, length,"
            " last_hash, created_at, finished_at, pruned_by, reason, archive, pruned_at, transaction_id)"
            " SELECT tenant_id, id, public_id, definition_key, 1, state, seq, chain_head, now(), now(), 'x', 'x', '',"
            " now(), pg_current_xact_id()::text::bigint FROM workflows_run WHERE id = %s",
            [run.pk],
        )
        with pytest.raises(psycopg.errors.RaiseException):
            superuser.execute("DELETE FROM workflows_transition WHERE run_id = %s", [run.pk])
        superuser.rollback()
    assert (lines_of(tenant, run), count_tombstones(tenant_id=tenant.pk)) == (run.seq, 0)


def test_a_tombstone_never_changes(tenant: Tenant, ended: Callable[..., Run], postgres: Postgres) -> None:
    ended(tenant)
    keep(tenant)
    prune(tenant)

    with postgres.connect() as superuser:
        for statement in ("UPDATE workflows_tombstone SET reason = 'x'", "DELETE FROM workflows_tombstone"):
            for mode in ("origin", "replica"):
                superuser.execute(f"SET session_replication_role = {mode}")
                with pytest.raises(psycopg.errors.RaiseException):
                    superuser.execute(f"{statement} WHERE tenant_id = {tenant.pk}")


def test_buried_without_its_rows_a_run_blocks_nothing(tenant: Tenant, ended: Callable[..., Run]) -> None:
    """What the function did rolls back with everything else."""
    run = ended(tenant)

    with pytest.raises(DatabaseError, match="division by zero"):
        sql(tenant, BURY.replace("SELECT id", "SELECT 1 / (count(*) - 1)"), tenant.pk, [run.pk])

    assert exists(tenant, run)
    assert lines_of(tenant, run) == run.seq
