"""No row without a tenant, asked of every table that the catalog has: also of those that somebody adds tomorrow.

Everything happens in one transaction of a superuser, who puts a row into each table, speaks as the role of the service
from then on, and takes all of it back.
"""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from psycopg import sql

from tests.plugin import Servers

TENANT, ANOTHER = 987_654_321, 987_654_322
#: tables that hold nothing of any tenant; every other must say in each row whose it is
OF_NO_TENANT = {
    *("auth_group", "auth_group_permissions", "auth_permission"),
    *("auth_user", "auth_user_groups", "auth_user_user_permissions"),
    *("axes_accessattempt", "axes_accessattemptexpiration", "axes_accessfailurelog", "axes_accesslog"),
    *("django_admin_log", "django_content_type", "django_migrations", "django_session"),
    *("tenants_recoverycode", "tenants_secondfactor"),  # of people who sign in
}
ITSELF = "tenants_tenant"
#: a value of each type, for columns that must have one
VALUES: dict[str, Any] = {
    "int2": 1, "int4": 1, "int8": 1, "numeric": 1, "float8": 1, "bool": False, "bytea": b"x", "jsonb": "{}",
    "text": "x", "varchar": "x", "bpchar": "x", "uuid": "00000000-0000-4000-8000-000000000001", "date": "2026-01-01",
    "timestamptz": "2026-01-01T00:00:00Z", "time": "00:00", "interval": "1 day", "inet": "127.0.0.1",
}  # fmt: skip
COLUMNS = """
SELECT c.relname, array_agg(a.attname ORDER BY a.attnum), array_agg(t.typname::text ORDER BY a.attnum)
  FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_type t ON t.oid = a.atttypid
 WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
   AND a.attgenerated = '' AND a.attidentity = '' AND (a.attnotnull OR a.attname = 'tenant_id')
 GROUP BY 1
"""
CHECKS = """
SELECT relname, conname FROM pg_constraint JOIN pg_class c ON c.oid = conrelid
 WHERE contype = 'c' AND relname = ANY(%s)
"""


class Table:
    """A table of the catalog, and a row that it could have."""

    def __init__(self, name: str, columns: list[str], types: list[str]) -> None:
        self.name, self.owner = name, "id" if name == ITSELF else "tenant_id"
        kinds = dict(zip(columns, types, strict=True)) | ({"id": "int8"} if name == ITSELF else {})
        self.kinds = {column: kind for column, kind in kinds.items() if column != self.owner}

    def insert(self, tenant: int) -> sql.Composed:
        """A statement that gives a tenant a row."""
        values = [sql.Literal("{}" if kind.startswith("_") else VALUES[kind]) for kind in self.kinds.values()]
        return sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE VALUES ({})").format(
            sql.Identifier(self.name),
            sql.SQL(", ").join(map(sql.Identifier, [self.owner, *self.kinds])),
            sql.SQL(", ").join([sql.Literal(tenant), *values]),
        )

    def ask(self, text: str) -> sql.Composed:
        """A statement about the table; {column} is the one that says whose a row is."""
        return sql.SQL(text).format(table=sql.Identifier(self.name), column=sql.Identifier(self.owner))


@pytest.fixture(scope="module")
def catalog(servers: Servers) -> Iterator[tuple[psycopg.Connection[Any], dict[str, Table]]]:
    """The role of the service, on a connection without a scope, where each table has a row of a tenant."""
    with servers.postgres.connect() as database, database.transaction(force_rollback=True):
        found = {name: Table(name, *of) for name, *of in database.execute(COLUMNS).fetchall()}
        tables = {name: table for name, table in found.items() if name not in OF_NO_TENANT}
        for name, check in database.execute(CHECKS, [list(tables)]).fetchall():
            database.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(*map(sql.Identifier, (name, check))))
        for table in tables.values():
            database.execute(table.ask("ALTER TABLE {table} DISABLE TRIGGER ALL"))  # foreign keys among them
            database.execute(table.insert(TENANT))
        database.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(settings.DATABASE_APP_ROLE)))
        yield database, tables


def refusal(database: psycopg.Connection[Any], statement: sql.Composed) -> str:
    """Why a statement was refused; empty when it was not, which is taken back."""
    try:
        with database.transaction(force_rollback=True):
            done = database.execute(statement)
            return "" if done.rowcount else "no rows"
    except psycopg.errors.InsufficientPrivilege:
        return "refused"


Catalog = tuple[psycopg.Connection[Any], dict[str, Table]]


def scope(database: psycopg.Connection[Any], tenant: int | None) -> None:
    database.execute("SELECT set_config('chimeway.tenant_id', %s, true)", [str(tenant or "")])


def test_every_table_says_whose_a_row_is(catalog: Catalog, servers: Servers) -> None:
    _, tables = catalog
    with servers.postgres.connect() as owner:
        unprotected = owner.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND NOT (relrowsecurity AND relforcerowsecurity)",
            [list(tables)],
        ).fetchall()
        nullable = owner.execute(
            "SELECT attrelid::regclass::text FROM pg_attribute WHERE attname = 'tenant_id' AND NOT attnotnull"
            " AND attrelid::regclass::text = ANY(%s)",
            [list(tables)],
        ).fetchall()
    assert len(tables) > 50
    assert (unprotected, nullable) == ([], [])


def test_without_a_tenant_no_table_shows_takes_changes_or_loses_a_row(catalog: Catalog) -> None:
    database, tables = catalog
    scope(database, None)

    seen = {name: refusal(database, table.ask("SELECT FROM {table}")) for name, table in tables.items()}
    taken = {name: refusal(database, table.insert(TENANT)) for name, table in tables.items()}
    changed = {
        name: (
            refusal(database, table.ask("UPDATE {table} SET {column} = {column}")),
            refusal(database, table.ask("DELETE FROM {table}")),
        )
        for name, table in tables.items()
    }

    assert {name: why for name, why in seen.items() if why not in {"no rows", "refused"}} == {}
    assert {name: why for name, why in taken.items() if why != "refused"} == {}
    assert {name: why for name, why in changed.items() if "" in why} == {}


def test_a_tenant_sees_and_writes_its_own_rows_and_no_others(catalog: Catalog) -> None:
    """The first half shows that the rows are there to be seen; the other, that nobody else sees them."""
    database, tables = catalog
    scope(database, TENANT)
    own = {name: refusal(database, table.ask("SELECT FROM {table}")) for name, table in tables.items()}
    of_another = {name: refusal(database, table.insert(ANOTHER)) for name, table in tables.items()}
    scope(database, ANOTHER)
    others = {name: refusal(database, table.ask("SELECT FROM {table}")) for name, table in tables.items()}

    assert {name for name, why in own.items() if why} == set()
    assert {name for name, why in of_another.items() if why != "refused"} == set()
    assert {name for name, why in others.items() if why != "no rows"} == set()
