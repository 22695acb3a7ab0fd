"""The app role owns nothing and cannot walk past row-level security, whatever SQL it sends."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from chimeway_py.embedded.postgres import Postgres
from tenants.checks import role_faults
from tenants.models import Tenant
from tenants.rls import KEPT_FROM_OPERATORS

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def app(postgres: Postgres) -> Iterator[Connection]:
    with postgres.connect("chimeway_app") as connection:
        yield connection


def test_without_a_scope_there_are_no_rows(app: Connection, tenant: Tenant) -> None:
    assert app.execute("SELECT count(*) FROM tenants_tenant").fetchone() == (0,)


def test_in_a_scope_there_is_one_tenant(app: Connection, tenant: Tenant, other_tenant: Tenant) -> None:
    app.execute("SELECT set_config('chimeway.tenant_id', %s, false)", [str(tenant.pk)])

    assert app.execute("SELECT id FROM tenants_tenant").fetchall() == [(tenant.pk,)]


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE tenants_tenant DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE tenants_tenant NO FORCE ROW LEVEL SECURITY",
        "DROP POLICY tenant_scope ON tenants_tenant",
        "TRUNCATE tenants_tenant CASCADE",
        "SET ROLE chimeway_owner",
        "SET SESSION AUTHORIZATION chimeway_owner",
        "SET session_replication_role = replica",
        "ALTER ROLE chimeway_app BYPASSRLS",
        "ALTER ROLE chimeway_app SUPERUSER",
        "CREATE TABLE mine (id int)",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_the_app_role_cannot_free_itself(app: Connection, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute(statement)


TRAP = """
CREATE FUNCTION pg_temp.trap() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'trapped as %', current_user;
END $$
"""


CALLABLE = """
SELECT p.proname, p.pronargs FROM pg_proc p
 WHERE p.prosecdef AND p.pronamespace = 'public'::regnamespace
   AND has_function_privilege('chimeway_app', p.oid, 'EXECUTE')
"""


@pytest.mark.parametrize("relation", ["tenants_tenant", "workflows_run", "pg_class", "tenants_apikey"])
def test_a_temporary_table_does_not_fool_the_owners_functions(
    postgres: Postgres, app: Connection, relation: str
) -> None:
    """They run as the owner: what they find first under a name must never be the caller's."""
    with postgres.connect() as superuser:
        found = superuser.execute(CALLABLE).fetchall()
        columns = superuser.execute(
            "SELECT quote_ident(attname), format_type(atttypid, atttypmod) FROM pg_attribute"
            " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [relation],
        ).fetchall()
    app.execute(TRAP)
    shown = ", ".join(f"CASE WHEN pg_temp.trap() = 1 THEN NULL::{kind} END AS {name}" for name, kind in columns)
    app.execute(f"CREATE TEMPORARY VIEW {relation} AS SELECT {shown}")
    app.execute(f"GRANT SELECT ON pg_temp.{relation} TO PUBLIC")

    trapped = []
    for name, arguments in found:
        try:
            with app.transaction():
                app.execute(f"SELECT * FROM {name}({', '.join(['NULL'] * arguments)})").fetchall()  # noqa: S608
        except psycopg.Error as error:
            trapped += [name] if "trapped as" in str(error) else []

    assert len(found) > 20
    assert trapped == []


def test_the_check_names_a_function_that_could_be_fooled(postgres: Postgres) -> None:
    with postgres.connect() as superuser:
        superuser.execute("ALTER FUNCTION tenant_list() SET search_path = pg_catalog, public")
        try:
            faults = role_faults()
        finally:
            superuser.execute("ALTER FUNCTION tenant_list() SET search_path = pg_catalog, public, pg_temp")

    assert [fault.id for fault in faults] == ["tenants.E005"]
    assert "tenant_list()" in faults[0].msg


def test_row_security_cannot_be_switched_off(app: Connection, tenant: Tenant) -> None:
    app.execute("SET row_security = off")

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
        app.execute("SELECT * FROM tenants_tenant")


def test_every_table_of_tenants_forces_row_level_security() -> None:
    assert role_faults() == []


def test_the_check_names_a_role_that_could_walk_past(postgres: Postgres) -> None:
    with postgres.connect() as superuser:
        superuser.execute("ALTER ROLE chimeway_app BYPASSRLS")
        try:
            faults = role_faults()
        finally:
            superuser.execute("ALTER ROLE chimeway_app NOBYPASSRLS")

    assert [fault.id for fault in faults] == ["tenants.E001"]


def test_operators_read_no_secrets_and_change_nothing(postgres: Postgres, tenant: Tenant) -> None:
    with postgres.connect("chimeway_operator") as operator:
        operator.execute("SELECT set_config('chimeway.tenant_id', %s, false)", [str(tenant.pk)])
        assert operator.execute("SELECT count(*) FROM workflows_run").fetchone() == (0,)
        for table in sorted(KEPT_FROM_OPERATORS):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                operator.execute(f"SELECT * FROM {table}")  # noqa: S608
            operator.rollback()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            operator.execute("UPDATE workflows_run SET subject = 'x'")
