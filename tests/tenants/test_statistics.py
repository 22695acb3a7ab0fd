"""What the planner is told of tenants' tables: nothing of the tenant, and early of everything else."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import connection

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import scope_of, tenant_scope
from tenants.sql import fetch
from tests.journeys import GRACE, drain, publish
from workflows.services.start import NewRun, start_runs
from workflows.services.young_tables import analyze_grown_tables
from workflows.store import load

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


def test_the_waits_of_a_few_runs_are_found_without_reading_those_of_the_tenant(
    tenant: Tenant, postgres: Postgres
) -> None:
    publish(tenant, GRACE)
    new = [NewRun(subject="ada", correlation={"invoice_id": str(number)}) for number in range(300)]
    runs = start_runs(tenant_id=tenant.pk, definition_key="dunning", runs=new)
    drain(tenant)
    with postgres.connect() as superuser:
        superuser.execute("VACUUM ANALYZE workflows_wait")

    with tenant_scope(tenant.pk):
        asked = [[run.run_id for run in runs[:50]], tenant.pk]
        [[[plan]]] = fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {load._WAITS}", asked)

    read = [node for node in nodes(plan["Plan"]) if node.get("Relation Name") == "workflows_wait"]
    assert [node["Index Name"] for node in read] == ["wait_one_open"]
    assert [node["Actual Rows"] for node in read] == [1]


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node of a plan, and all below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)
