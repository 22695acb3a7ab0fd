"""What the planner is told of tenants' tables: nothing of the tenant, and early of everything else."""

from django.db import connection

from tenants.scope import scope_of
from tenants.sql import fetch
from workflows.services.young_tables import analyze_grown_tables

_TARGETS = """
SELECT c.relname, coalesce(a.attstattarget, -1) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' AND NOT a.attisdropped
"""


def test_no_table_keeps_statistics_of_its_tenants() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TARGETS)
        targets = dict(cursor.fetchall())

    assert len(targets) > 15
    assert {table for table, target in targets.items() if target != 0} <= {"tenants_membership"}


def test_a_table_that_has_doubled_is_counted_once() -> None:
    analyze_grown_tables()

    with scope_of([]):
        assert fetch("SELECT analyze_grown_tables()", [])[0][0] <= 8
    while analyze_grown_tables():
        pass
    assert analyze_grown_tables() == 0
