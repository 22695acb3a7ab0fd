"""The trace refuses change, whoever asks."""

import psycopg
import pytest
from django.db import DatabaseError, connection

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import moves_of, waiting_run
from workflows.models import Transition


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
