"""What the planner is told of tenants' tables: nothing of the tenant, and early of everything else."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from django.db import connection

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import scope_of, tenant_scope
from tenants.services import create_tenant
from tenants.sql import fetch
from tests.journeys import GRACE, drain, publish
from workflows.services import advance
from workflows.services.start import NewRun, start_runs
from workflows.services.young_tables import analyze_grown_tables
from workflows.store import load, write

_TARGETS = """
SELECT c.relname, coalesce(a.attstattarget, -1) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' AND NOT a.attisdropped
"""
_EXPECTED = """
SELECT c.relname, s.n_distinct FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
  LEFT JOIN pg_stats s ON s.schemaname = 'public' AND s.tablename = c.relname AND s.attname = 'tenant_id'
 WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attname = 'tenant_id' AND NOT a.attisdropped
"""


def test_no_table_keeps_statistics_of_its_tenants() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TARGETS)
        targets = dict(cursor.fetchall())

    assert len(targets) > 15
    assert {table for table, target in targets.items() if target != 0} <= {"tenants_membership"}


def test_every_tenant_is_expected_to_have_a_fair_share_of_a_table(postgres: Postgres) -> None:
    with postgres.connect() as superuser:
        told = dict(superuser.execute(_EXPECTED).fetchall())

    assert {table for table, expected in told.items() if expected != 50} <= {"tenants_membership"}


def test_a_table_that_has_doubled_is_counted_once() -> None:
    analyze_grown_tables()

    with scope_of([]):
        assert fetch("SELECT analyze_grown_tables()", [])[0][0] <= 8
    while analyze_grown_tables():
        pass
    assert analyze_grown_tables() == 0


def test_a_table_that_has_lost_its_statistics_gets_them_back(
    postgres: Postgres, crowd: tuple[Tenant, list[int]]
) -> None:
    with postgres.connect() as superuser:  # as after a dump was restored
        superuser.execute("SELECT pg_clear_attribute_stats('public', 'workflows_run', 'tenant_id', false)")
        superuser.execute("SELECT pg_clear_relation_stats('public', 'workflows_run')")
        before = superuser.execute(_EXPECTED).fetchall()
        while analyze_grown_tables():
            pass

        assert ("workflows_run", None) in before
        assert ("workflows_run", 50) in superuser.execute(_EXPECTED).fetchall()


@pytest.mark.parametrize(
    ("statement", "given", "index"),
    [
        (load._WAITS, "'{{{runs}}}', {tenant}", "wait_one_open"),
        (write._REST_LISTENERS, "{tenant}, '{{{runs}}}'", "listener_run"),
    ],
    ids=["open waits", "listeners"],
)
def test_what_hangs_on_a_few_runs_is_found_without_reading_what_the_tenant_has(
    crowd: tuple[Tenant, list[int]], statement: str, given: str, index: str
) -> None:
    tenant, runs = crowd
    text = statement.replace("%s", "$1", 1).replace("%s", "$2")
    values = given.format(tenant=tenant.pk, runs=",".join(map(str, runs[:50])))

    with tenant_scope(tenant.pk), connection.cursor() as cursor:  # prepared, as the service does it
        cursor.execute(f"PREPARE asked AS {text}")
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE asked({values})")
        [[[plan]]] = cursor.fetchall()
        cursor.execute("DEALLOCATE asked")

    looked_up = [node for node in nodes(plan["Plan"]) if node["Node Type"].endswith(("Scan", "Join"))]
    assert [node["Index Name"] for node in looked_up if "Index Name" in node] == [index]
    assert not [node for node in looked_up if node["Node Type"].startswith(("Hash", "Bitmap", "Merge"))]


def test_due_runs_are_found_by_their_clock_and_not_among_all_that_wait(crowd: tuple[Tenant, list[int]]) -> None:
    tenant, _ = crowd
    text = advance._CLAIM.format(one="", limit=10).replace("%s", "$1", 1).replace("%s", "$2", 1)

    with tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute(advance._NO_BITMAPS)
        cursor.execute(f"PREPARE claim AS {text}")
        cursor.execute(f"EXPLAIN (FORMAT JSON) EXECUTE claim({tenant.pk}, NULL)")
        [[[plan]]] = cursor.fetchall()
        cursor.execute("DEALLOCATE claim")

    [scan] = [node for node in nodes(plan["Plan"]) if "Index Name" in node]
    assert scan["Index Name"] == "run_due"
    assert "due_at <=" in scan["Index Cond"]


@pytest.fixture(scope="module")
def crowd(postgres: Postgres) -> tuple[Tenant, list[int]]:
    """A tenant with many waiting runs, of which the planner knows."""
    tenant = create_tenant(slug=f"crowd-{uuid.uuid4().hex[:12]}")
    publish(tenant, GRACE)
    keys = [str(number) for number in range(600)]
    new = [NewRun(subject="ada", correlation={"invoice_id": key}) for key in keys]
    runs = [run.run_id for run in start_runs(tenant_id=tenant.pk, definition_key="dunning", runs=new)]
    drain(tenant)
    with postgres.connect() as superuser:
        for table in ("wait", "listener", "run"):
            superuser.execute(f"VACUUM ANALYZE workflows_{table}")
    return tenant, runs


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A node of a plan, and all below it."""
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def test_tables_whose_rows_change_are_vacuumed_early() -> None:
    """A fifth of a large table is a lot of dead rows that every index still leads to."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname FROM pg_class WHERE 'autovacuum_vacuum_scale_factor=0.05' = ANY (reloptions)")
        early = {name for (name,) in cursor.fetchall()}

    changing = {
        "run",
        "wait",
        "listener",
        "steprun",
        "attempt",
        "digest",
        "digestitem",
        "throttlepass",
        "eventdispatch",
    }
    assert {f"workflows_{name}" for name in changing} | {"signals_app_signal", "deliveries_delivery"} <= early
