"""Statements go out together, in order, each planned once; their connection is let go with them."""

import gc
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from tenants.models import Tenant
from tenants.scope import at_once, scope_of, tenant_scope, with_commit
from tenants.sql import ask, execute, fetch, fetch_each, pipelined, push, stream
from tests.plugin import Servers


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many statements each trip to the server carried."""
    from tenants.wire import Wire

    carried: list[int] = []
    flush = Wire.flush

    def counting(self: Wire) -> None:
        if self._waiting:
            carried.append(len(self._waiting))
        flush(self)

    monkeypatch.setattr(Wire, "flush", counting)
    return carried


# Whether there is such a tenant is looked at only at the commit.
_OF_NO_TENANT = """
INSERT INTO signals_app_signal (tenant_id, public_id, source, external_id, name, subject, correlation, body_digest,
    occurred_at, received_at, route_failures, route_cursor, verdict_reason, verdict_context, duplicate_count)
VALUES (%s, gen_random_uuid(), 'api', 'x', 'x', '', '{}', '', now(), now(), 0, 0, '', '{}', 0) RETURNING id
"""


def test_what_cannot_be_committed_at_once_is_an_error(tenant: Tenant, trips: list[int]) -> None:
    nobody = 10**15

    with pytest.raises(IntegrityError, match="tenant"):
        at_once(nobody, (_OF_NO_TENANT, [nobody]))

    assert trips == [2]
    assert at_once(nobody, ("SELECT count(*) FROM signals_app_signal", ())) == [[(0,)]]
    assert at_once(tenant.pk, ("SELECT 1", ()), ("SELECT 2", ())) == [[(1,)], [(2,)]]


def test_a_statement_that_comes_again_is_planned_once() -> None:
    with scope_of([]):
        for number in range(5):
            assert fetch("SELECT %s::int + 1 AS planned_once", [number]) == [(number + 1,)]
        found = fetch(
            "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s", ["SELECT $1::int + 1 AS pl%"]
        )

    assert found == [(1,)]


def test_statements_of_a_pipeline_are_one_trip_and_see_each_other(trips: list[int]) -> None:
    with transaction.atomic():
        execute("CREATE TEMPORARY TABLE note (id int) ON COMMIT DROP", [])
        trips.clear()
        with pipelined():
            execute("INSERT INTO note VALUES (%s)", [1])
            counted = ask("SELECT count(*) FROM note", [])
            execute("INSERT INTO note VALUES (%s)", [2])

        assert trips == [3]
        assert counted() == [(1,)]
        assert fetch("SELECT count(*) FROM note", []) == [(2,)]


def test_an_answer_that_is_read_early_sends_what_was_gathered(trips: list[int]) -> None:
    with pipelined():
        first = ask("SELECT 1", [])
        assert first() == [(1,)]
        second = ask("SELECT 2", [])

    assert second() == [(2,)]
    assert trips == [1, 1]


def test_the_orm_runs_after_what_was_gathered_before_it(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk), pipelined():
        execute("UPDATE tenants_tenant SET name = %s WHERE id = %s", ["Before", tenant.pk])
        assert Tenant.objects.get(pk=tenant.pk).name == "Before"


def test_after_an_error_nothing_runs_and_the_connection_goes_on() -> None:
    def fail() -> None:
        with transaction.atomic():
            execute("CREATE TEMPORARY TABLE kept (id int)", [])
            with pipelined():
                execute("INSERT INTO kept VALUES (1)", [])
                execute("SELECT 1 / %s::int", [0])
                execute("INSERT INTO kept VALUES (2)", [])

    with pytest.raises(DatabaseError, match="division by zero"):
        fail()

    assert fetch("SELECT to_regclass('pg_temp.kept') IS NULL", []) == [(True,)]


def test_a_block_that_fails_sends_nothing() -> None:
    def fail() -> None:
        with pipelined():
            execute("INSERT INTO unsent VALUES (1)", [])
            raise ZeroDivisionError

    with transaction.atomic():
        execute("CREATE TEMPORARY TABLE unsent (id int) ON COMMIT DROP", [])
        with pytest.raises(ZeroDivisionError):
            fail()
        assert fetch("SELECT count(*) FROM unsent", []) == [(0,)]


def test_what_is_pushed_runs_while_the_block_goes_on(servers: Servers) -> None:
    held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 77 AND granted"
    with servers.postgres.connect() as another, transaction.atomic(), pipelined():
        execute("SELECT pg_advisory_xact_lock(%s)", [77])
        assert another.execute(held).fetchone() == (0,)  # only gathered
        push()
        deadline = time.monotonic() + 10
        while another.execute(held).fetchone() != (1,):
            assert time.monotonic() < deadline, "the server has not begun"
        execute("SELECT set_config('application_name', 'later', true)", [])
        push()
        assert fetch("SELECT current_setting('application_name')", []) == [("later",)]


def test_a_block_that_fails_takes_back_what_it_has_pushed() -> None:
    def fail(after: Any) -> None:
        with transaction.atomic(), pipelined():
            execute("INSERT INTO taken_back VALUES (1)", [])
            push()
            execute("SELECT 1 / %s::int", [0])
            after()

    def stumble() -> None:
        push()
        raise ZeroDivisionError

    execute("CREATE TEMPORARY TABLE taken_back (id int)", [])
    with pytest.raises(ZeroDivisionError):
        fail(stumble)
    with pytest.raises(DatabaseError, match="division by zero"):
        fail(push)

    assert fetch("SELECT count(*) FROM taken_back", []) == [(0,)]
    execute("DROP TABLE taken_back", [])


def ask_thrice(text: str) -> list[Any]:
    return [fetch(text, [number]) for number in range(3)]


def forget_plans() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")


@pytest.mark.parametrize("begin", [nullcontext, transaction.atomic])
def test_plans_that_the_server_has_forgotten_are_made_anew(begin: Any) -> None:
    text = "SELECT %s::int AS forgotten"
    ask_thrice(text)
    forget_plans()

    with begin():
        assert ask_thrice(text) == [[(0,)], [(1,)], [(2,)]]


def test_a_migration_between_two_questions_is_no_error(servers: Servers) -> None:
    """PostgreSQL refuses a plan whose columns have changed; whoever has done nothing yet plans it anew."""
    with servers.postgres.connect() as superuser:
        superuser.execute("CREATE TABLE migrated AS SELECT 1 AS told")
        superuser.execute("GRANT SELECT ON migrated TO PUBLIC")
        try:
            ask_thrice("SELECT told FROM migrated WHERE told = %s::int")
            superuser.execute("ALTER TABLE migrated ALTER told TYPE bigint")

            assert ask_thrice("SELECT told FROM migrated WHERE told = %s::int") == [[], [(1,)], []]
        finally:
            superuser.execute("DROP TABLE migrated")


def test_a_connection_that_lives_through_many_migrations_goes_on_preparing(servers: Servers) -> None:
    """What was planned before is dropped on both sides, so that neither the server nor the limit is ever full."""
    in_use = "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'wire%%' AND statement LIKE %s"
    with servers.postgres.connect() as superuser:
        superuser.execute("CREATE TABLE migrating AS SELECT 1 AS told")
        superuser.execute("GRANT SELECT ON migrating TO PUBLIC")
        try:
            for kind in ["bigint", "int"] * 5:
                ask_thrice("SELECT told FROM migrating WHERE told = %s::int")
                superuser.execute(f"ALTER TABLE migrating ALTER told TYPE {kind}")
            ask_thrice("SELECT told FROM migrating WHERE told = %s::int")
        finally:
            superuser.execute("DROP TABLE migrating")

    assert fetch(in_use, ["%FROM migrating%"]) == [(1,)]


def test_in_the_middle_of_a_transaction_a_stale_plan_is_an_error() -> None:
    text = "SELECT %s::int AS forgotten_late"
    ask_thrice(text)

    def late() -> None:
        with transaction.atomic():
            execute("SELECT 1", [])
            forget_plans()
            fetch(text, [1])

    with pytest.raises(DatabaseError, match="does not exist"):
        late()
    assert ask_thrice(text) == [[(0,)], [(1,)], [(2,)]]


def test_one_plan_serves_whoever_asks_first_and_second_in_one_trip() -> None:
    text = "SELECT %s::int AS twice_in_one_trip"
    for _ in range(3):
        assert fetch_each((text, [1]), (text, [2])) == [[(1,)], [(2,)]]


def test_the_commit_goes_along_with_the_last_statements(tenant: Tenant, trips: list[int]) -> None:
    with tenant_scope(tenant.pk):
        trips.clear()
        with with_commit():
            execute("UPDATE tenants_tenant SET name = %s WHERE id = %s", ["Kept", tenant.pk])

    assert trips == [2]
    with tenant_scope(tenant.pk):
        assert Tenant.objects.get(pk=tenant.pk).name == "Kept"


def test_whoever_is_interrupted_on_the_wire_gets_another_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time limit is raised in the middle of a trip: nobody can tell what has run."""
    import psycopg

    def interrupted(self: Any, generator: Any, *given: Any, **named: Any) -> None:
        next(generator)
        raise TimeoutError

    def use() -> tuple[bool, list[Any]]:
        try:
            fetch("SELECT 1", [])
            driver = connection.connection
            with monkeypatch.context() as patched:
                patched.setattr(psycopg.Connection, "wait", interrupted)
                with pytest.raises(TimeoutError):
                    fetch("SELECT 2", [])
            return driver.closed, fetch("SELECT 3", [])
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(use).result() == (True, [(3,)])


def test_a_closed_connection_is_let_go() -> None:
    def used_and_closed() -> "weakref.ref[object]":
        with scope_of([]):
            fetch("SELECT 1", [])
        driver = weakref.ref(connection.connection)
        connection.close()
        return driver

    with ThreadPoolExecutor(1) as thread:
        driver = thread.submit(used_and_closed).result()
    gc.collect()

    assert driver() is None


def test_a_rollback_leaves_the_plans() -> None:
    def rolled_back() -> None:
        with transaction.atomic():
            for number in range(3):
                fetch("SELECT %s::int AS rolled_back", [number])
            assert list(stream("SELECT generate_series(1, 3)", [])) == [(1,), (2,), (3,)]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        rolled_back()

    assert fetch("SELECT %s::int AS rolled_back", [4]) == [(4,)]
