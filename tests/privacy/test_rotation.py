"""Rotating master keys and data keys: everything opens before, during and after."""

import os
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from rest_framework.test import APIClient

from deliveries.models import Endpoint, InboxItem
from deliveries.services import put_endpoint
from signals_app.models import Payload
from signals_app.services import load_payloads
from signals_app.services.payloads import canonical, write_payloads
from signals_app.services.secrets import live_secrets
from signals_app.services.sources import create_source
from tenants.api.idempotency import PLACE
from tenants.models import IdempotencyRecord, Tenant, TenantKey
from tenants.scope import tenant_scope
from tenants.services.secrets import put_secret, secret_values
from tenants.vault import rotation, vault_of
from tenants.vault.columns import SealedSecrets, sealed_columns
from tenants.vault.vault import forget_vaults
from tests.plugin import Servers

BODIES = [{"n": n} for n in range(7)]


@pytest.fixture
def addresses(tenant: Tenant) -> list[bytes]:
    """Some payloads of the tenant."""
    with tenant_scope(tenant.pk):
        return list(write_payloads(tenant_id=tenant.pk, texts=map(canonical, BODIES)).values())


@pytest.fixture(autouse=True)
def _own_cache() -> None:
    forget_vaults()


def numbers(tenant: Tenant) -> list[int]:
    with tenant_scope(tenant.pk):
        rows = TenantKey.objects.filter(tenant_id=tenant.pk, purpose="data").order_by("number")
        return [row.number for row in rows]


def read(tenant: Tenant, addresses: list[bytes]) -> list[Any]:
    with tenant_scope(tenant.pk):
        return sorted(load_payloads(tenant.pk, addresses).values(), key=lambda body: body["n"])


def age_keys(tenant: Tenant) -> None:
    """Let the tenant's keys be two hours old."""
    with tenant_scope(tenant.pk) as scope:
        TenantKey.objects.filter(tenant_id=tenant.pk).update(created_at=scope.now - timedelta(hours=2))


def test_a_new_master_key_wraps_and_the_old_one_may_leave(
    tenant: Tenant, addresses: list[bytes], settings: Any
) -> None:
    old, new = settings.PAYLOAD_KEYS[0], os.urandom(32)

    settings.PAYLOAD_KEYS = [new, old]
    assert tenant.pk in rotation.tenants_to_rewrap(after=tenant.pk - 1)
    moved, again = rotation.rewrap_keys(tenant_id=tenant.pk), rotation.rewrap_keys(tenant_id=tenant.pk)
    settings.PAYLOAD_KEYS = [new]
    forget_vaults()

    assert (moved, again) == (2, 0)
    assert read(tenant, addresses) == BODIES
    settings.PAYLOAD_KEYS = [old, new]
    rotation.rewrap_keys(tenant_id=tenant.pk)  # other tests share the first key


def test_a_new_data_key_seals_and_the_old_one_leaves_when_nothing_is_under_it(
    tenant: Tenant, addresses: list[bytes]
) -> None:
    assert rotation.rotate_data_key(tenant_id=tenant.pk) == 2
    early = rotation.reseal_values(tenant_id=tenant.pk, most=3)
    age_keys(tenant)
    late = rotation.reseal_values(tenant_id=tenant.pk, most=3)
    forget_vaults()

    assert (early.values, early.keys_retired) == (len(BODIES), 0)
    assert (late.values, late.keys_retired) == (0, 1)
    assert numbers(tenant) == [2]
    assert read(tenant, addresses) == BODIES


def test_a_process_that_does_not_know_of_a_new_key_opens_what_it_sealed(tenant: Tenant, addresses: list[bytes]) -> None:
    behind = vault_of(tenant.pk)  # as another process would still hold it
    rotation.rotate_data_key(tenant_id=tenant.pk)
    sealed = vault_of(tenant.pk).seal("t.c", "row", "new")

    assert behind.open("t.c", "row", sealed) == "new"
    assert vault_of(tenant.pk).open("t.c", "row", behind.seal("t.c", "row", "old")) == "old"


def test_everything_sealed_is_sealed_anew(tenant: Tenant, rest: APIClient, addresses: list[bytes]) -> None:
    put_secret(tenant_id=tenant.pk, key="crm_token", value="not to be seen")
    put_endpoint(tenant_id=tenant.pk, key="pager", url="https://example.com/hook")
    source = create_source(tenant_id=tenant.pk, key="crm", scheme="github", mapping={"name": "type"}).row
    rest.post("/v1/signals", {"name": "a.b", "data": {"n": 99}}, headers={"Idempotency-Key": "k"})
    with tenant_scope(tenant.pk) as scope:
        endpoint = Endpoint.objects.get()
        secrets = live_secrets(source, scope.now), endpoint.live_secrets(scope.now)

    rotation.rotate_data_key(tenant_id=tenant.pk)
    age_keys(tenant)
    done = rotation.reseal_values(tenant_id=tenant.pk)
    forget_vaults()

    assert (done.values, numbers(tenant)) == (len(BODIES) + 5, [2])
    with tenant_scope(tenant.pk):
        source.refresh_from_db()
        endpoint.refresh_from_db()
        kept = bytes(IdempotencyRecord.objects.get().sealed or b"")
        assert all(bytes(row.sealed)[:5] == b"\x01\0\0\0\x02" for row in Payload.objects.all())
    now = datetime.now(UTC)
    assert secret_values(tenant_id=tenant.pk, key="crm_token") == ["not to be seen"]
    assert (live_secrets(source, now), endpoint.live_secrets(now)) == secrets
    assert "accepted" in vault_of(tenant.pk).open(PLACE, "k", kept)


def test_every_sealed_column_is_known_to_the_rotation(servers: Servers) -> None:
    """By convention such a column is called `sealed`, or `secrets` or `entries` for a list of them."""
    with servers.postgres.connect() as owner:
        found = owner.execute(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND column_name IN ('sealed', 'secrets', 'entries')"
        ).fetchall()

    known = {(column.table, column.column): column for column in sealed_columns()}
    assert set(found) == set(known)
    assert InboxItem._meta.db_table in {table for table, _ in known}
    lists = {name for (_, name), column in known.items() if isinstance(column, SealedSecrets)}
    assert lists == {"secrets", "entries"}


def test_the_command_does_it_all(tenant: Tenant, addresses: list[bytes]) -> None:
    said = StringIO()
    call_command("keys", "rotate", "--tenant", tenant.slug, stdout=said)
    call_command("keys", "reseal", "--tenant", tenant.slug, "--batch", "2", stdout=said, stderr=StringIO())
    age_keys(tenant)
    call_command("keys", "reseal", "--tenant", tenant.slug, stdout=said, stderr=StringIO())
    call_command("keys", "rewrap", stdout=said)
    call_command("keys", "show", stdout=said)

    lines = said.getvalue().splitlines()
    assert lines[0] == f"tenant {tenant.pk}: data key 2 seals now"
    assert "7 values resealed, 0 keys retired" in lines[1]
    assert lines[2] == f"tenant {tenant.pk}: 0 values resealed, 1 keys retired"
    assert lines[3].startswith("0 keys of 0 tenants")
    assert '"tenants_to_rewrap": 0' in lines[4]


def test_a_stolen_row_is_useless_without_the_environment(tenant: Tenant) -> None:
    vault = vault_of(tenant.pk)
    with tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(encode(wrapped, 'base64'), '') FROM tenants_tenantkey")
        wrapped = cursor.fetchone()[0]

    assert b64encode(vault.digest_key).decode()[:20] not in wrapped
