"""A tenant's vault: values open where they were sealed and nowhere else, and digests tell nothing."""

import hashlib
import os

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from chimeway_py.settings import keys_of_32_bytes
from tenants.checks import check_master_keys
from tenants.models import Tenant, TenantKey
from tenants.scope import tenant_scope
from tenants.vault import CannotOpen, Vault, vault_of
from tenants.vault.vault import forget_vaults

PLACE = "a_table.a_column"


@pytest.fixture
def vault(tenant: Tenant) -> Vault:
    return vault_of(tenant.pk)


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_sealed_opens_again_and_is_not_seen(text: str) -> None:
    vault = _vault_of_nobody()

    sealed = vault.seal(PLACE, "row", text)

    assert vault.open(PLACE, "row", sealed) == text
    assert len(text) < 4 or text.encode() not in sealed


def _vault_of_nobody() -> Vault:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return Vault(1, 1, {1: AESGCM(bytes(32))}, bytes(32))


def test_the_same_text_is_never_sealed_alike(vault: Vault) -> None:
    assert vault.seal(PLACE, "row", "yes") != vault.seal(PLACE, "row", "yes")


def test_a_sealed_value_opens_in_its_own_place_only(vault: Vault, other_tenant: Tenant) -> None:
    sealed = vault.seal(PLACE, "row", "secret")
    changed = [
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        sealed[:20] + bytes([sealed[20] ^ 1]) + sealed[21:],
        sealed[:10],
        b"",
        b"\x02" * 60,
    ]

    for place, name in [("another.column", "row"), (PLACE, "another row")]:
        with pytest.raises(CannotOpen):
            vault.open(place, name, sealed)
    with pytest.raises(CannotOpen):
        vault_of(other_tenant.pk).open(PLACE, "row", sealed)
    for broken in changed:
        with pytest.raises(CannotOpen):
            vault.open(PLACE, "row", broken)


def test_a_digest_is_the_same_each_time_and_the_tenants_own(vault: Vault, other_tenant: Tenant) -> None:
    once, again = vault.digest("payload", "42"), vault.digest("payload", "42")

    assert once == again
    others = {
        vault.digest("signal", "42"),
        vault_of(other_tenant.pk).digest("payload", "42"),
        hashlib.sha256(b"42").digest(),
    }
    assert once not in others


def test_the_database_holds_no_key_that_is_not_wrapped(vault: Vault, tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        rows = list(TenantKey.objects.filter(tenant_id=tenant.pk))

    assert sorted((row.purpose, row.number) for row in rows) == [("data", 1), ("digest", 1)]
    assert all(vault.digest_key not in bytes(row.wrapped) for row in rows)
    assert vault.digest_key.hex() not in repr(vault)


def test_keys_that_were_rolled_back_seal_nothing(tenant: Tenant) -> None:
    """A key kept in memory and missing in the database would seal what nobody can open."""
    with tenant_scope(tenant.pk):
        TenantKey.objects.filter(tenant_id=tenant.pk).delete()
    forget_vaults()

    with transaction.atomic():
        first = vault_of(tenant.pk)
        transaction.set_rollback(True)

    assert vault_of(tenant.pk).digest_key != first.digest_key
    assert vault_of(tenant.pk).digest_key == vault_of(tenant.pk).digest_key


def test_a_missing_master_key_is_told_at_once(tenant: Tenant, settings: object) -> None:
    assert check_master_keys(databases=["default"]) == []
    vault_of(tenant.pk)
    settings.PAYLOAD_KEYS = [os.urandom(32)]  # type: ignore[attr-defined]
    forget_vaults()

    with pytest.raises(CannotOpen, match="PAYLOAD_KEYS lacks the master key"):
        vault_of(tenant.pk)
    assert {fault.id for fault in check_master_keys(databases=["default"])} == {"tenants.E004"}


@pytest.mark.parametrize("wrong", ["short", "AAAA", "not base64!", "A" * 44])
def test_master_keys_that_are_none_stop_the_process(wrong: str) -> None:
    with pytest.raises(ImproperlyConfigured):
        keys_of_32_bytes("PAYLOAD_KEYS", [wrong])
