"""The trace refuses change, whoever asks."""

# ruff: noqa: S608  the statements are put together from this file's own words

import psycopg
import pytest
from django.db import DatabaseError, connection

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import moves_of, rows_of, run_of, waiting_run
from workflows.models import Transition
from workflows.services.control import cancel_runs
from workflows.states import Cause
from workflows.store import write
from workflows.verify import verify_trace


def test_the_orm_cannot_change_it(tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    before = moves_of(tenant, run_id)

    for attempt in (
        lambda trace: trace.update(reason="cancelled"),
        lambda trace: trace.delete(),
        lambda trace: trace.first().delete(),
        lambda trace: trace.first().save(),
    ):
        with pytest.raises(DatabaseError), tenant_scope(tenant.pk):
            attempt(Transition.objects.filter(tenant_id=tenant.pk, run_id=run_id))

    assert moves_of(tenant, run_id) == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE workflows_transition SET reason = 'cancelled'",
        "DELETE FROM workflows_transition",
        "TRUNCATE workflows_transition",
        "TRUNCATE workflows_run CASCADE",
        "ALTER TABLE workflows_transition DISABLE TRIGGER ALL",
        "SET session_replication_role = replica",
        "DROP TABLE workflows_transition",
    ],
)
def test_the_app_role_cannot_change_it_by_sql(tenant: Tenant, statement: str) -> None:
    run_id = waiting_run(tenant)
    before = moves_of(tenant, run_id)

    with pytest.raises(DatabaseError), tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute(statement)

    assert moves_of(tenant, run_id) == before


@pytest.mark.parametrize("role", ["origin", "replica", "local"])
@pytest.mark.parametrize(
    "statement", ["UPDATE workflows_transition SET reason = 'x'", "DELETE FROM workflows_transition"]
)
def test_not_even_a_superuser_changes_it_by_accident(
    tenant: Tenant, postgres: Postgres, role: str, statement: str
) -> None:
    waiting_run(tenant)

    with postgres.connect() as superuser:
        superuser.execute(f"SET session_replication_role = {role}")
        with pytest.raises(psycopg.errors.RaiseException, match="Cannot"):
            superuser.execute(f"{statement} WHERE tenant_id = {tenant.pk}")


@pytest.mark.parametrize("table", ["workflows_transition", "workflows_run CASCADE"])
@pytest.mark.parametrize("role", ["chimeway_owner", "postgres"])
def test_nobody_empties_it_by_accident(tenant: Tenant, postgres: Postgres, role: str, table: str) -> None:
    waiting_run(tenant)

    with postgres.connect(role) as connection, pytest.raises(psycopg.Error, match="append-only"):
        connection.execute(f"TRUNCATE {table}")


def test_no_line_has_the_number_of_another(tenant: Tenant, postgres: Postgres) -> None:
    run_id = waiting_run(tenant)
    names = [field.column for field in Transition._meta.fields if field.column != "id"]
    again = f"INSERT INTO workflows_transition ({', '.join(names)}) SELECT {', '.join(names)} FROM workflows_transition"

    with postgres.connect() as superuser, pytest.raises(psycopg.errors.UniqueViolation, match="transition_run_seq"):
        superuser.execute(f"{again} WHERE run_id = %s AND seq = 2", [run_id])


def test_a_trace_that_cannot_be_written_leaves_the_run_as_it_was(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = waiting_run(tenant)
    before, rows = moves_of(tenant, run_id), rows_of(tenant)
    monkeypatch.setattr(write, "_TRANSITIONS", write._TRANSITIONS.replace("INSERT INTO", "INSERT INTO no_"))

    with pytest.raises(DatabaseError):
        cancel_runs(
            tenant_id=tenant.pk,
            public_ids=[run_of(tenant, run_id).public_id],
            cause=Cause.API,
            cause_ref="test",
            reason="",
        )

    assert (run_of(tenant, run_id).state, moves_of(tenant, run_id), rows_of(tenant)) == ("waiting", before, rows)
    assert list(verify_trace(tenant_id=tenant.pk)) == []
