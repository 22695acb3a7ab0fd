"""The scope of a tenant: what is asked as it opens, a look without a transaction, and a commit with the last writes."""

import pytest
from django.db import DatabaseError, connection, transaction

from signals_app.services.payloads import load_payloads, write_payloads
from tenants.models import Tenant
from tenants.scope import peek, tenant_scope, with_commit
from tenants.sql import execute, fetch

WHOSE = "SELECT current_setting('chimeway.tenant_id', true)"


def is_stored(tenant: Tenant, address: bytes) -> bool:
    with tenant_scope(tenant.pk):
        return address in load_payloads(tenant.pk, [address])


def test_what_is_asked_is_answered_inside_the_scope(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk, (WHOSE, []), ("SELECT 2", [])) as scope:
        assert scope.answers == [[(str(tenant.pk),)], [(2,)]]
        with tenant_scope(tenant.pk, (WHOSE, [])) as inner:
            assert inner.answers == [[(str(tenant.pk),)]]
            assert inner.now == scope.now


def test_a_look_leaves_no_transaction_and_no_tenant_behind(tenant: Tenant) -> None:
    assert peek(tenant.pk, WHOSE, []) == [(str(tenant.pk),)]
    assert not connection.in_atomic_block
    assert fetch(WHOSE, []) in ([("",)], [(None,)])
    with tenant_scope(tenant.pk):
        assert peek(tenant.pk, WHOSE, []) == [(str(tenant.pk),)]


def test_the_last_writes_are_committed_with_what_came_before(tenant: Tenant) -> None:
    told = []
    with tenant_scope(tenant.pk):
        [address] = write_payloads(tenant_id=tenant.pk, texts=['{"kept":1}']).values()
        transaction.on_commit(lambda: told.append(1))
        with with_commit():
            execute("SELECT 1", [])
        assert fetch("SELECT pg_current_xact_id_if_assigned()", []) == [(None,)]  # it is over
        assert not told  # what waits for the commit comes after the scope, as ever
    assert is_stored(tenant, address)
    assert told


def test_a_last_write_that_fails_undoes_all(tenant: Tenant) -> None:
    def write_and_fail() -> None:
        with tenant_scope(tenant.pk):
            addresses.extend(write_payloads(tenant_id=tenant.pk, texts=['{"kept":2}']).values())
            with with_commit():
                execute("SELECT 1 / %s", [0])

    addresses: list[bytes] = []
    with pytest.raises(DatabaseError):
        write_and_fail()
    assert not is_stored(tenant, addresses[0])


def test_inside_another_transaction_the_commit_is_left_to_it(tenant: Tenant) -> None:
    def write_and_give_up() -> None:
        with tenant_scope(tenant.pk):
            with tenant_scope(tenant.pk):
                addresses.extend(write_payloads(tenant_id=tenant.pk, texts=['{"kept":3}']).values())
                with with_commit():
                    execute("SELECT 1", [])
            raise LookupError

    addresses: list[bytes] = []
    with pytest.raises(LookupError):
        write_and_give_up()
    assert not is_stored(tenant, addresses[0])
