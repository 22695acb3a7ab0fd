"""Tenants cannot meet: row-level security and composite keys, asked of every table there is."""

import itertools

import pytest
from django.apps import apps
from django.db import Error, models, transaction

from tenants.checks import role_faults
from tenants.models import ApiKey, Tenant
from tenants.models.tenant import TenantRow
from tenants.scope import current_scope, scope_of, tenant_scope
from tenants.services import create_api_key
from tests.plugin import Servers

TABLES = [model for model in apps.get_models() if issubclass(model, TenantRow)]


@pytest.fixture
def key_of_each(tenant: Tenant, other_tenant: Tenant) -> None:
    """Both tenants own a row."""
    for owner in (tenant, other_tenant):
        create_api_key(tenant_id=owner.pk, name="ci", scopes=[])


def test_the_role_of_the_service_can_bypass_nothing() -> None:
    assert role_faults() == []


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model._meta.db_table)
def test_every_unique_key_and_index_starts_with_the_tenant(model: type[models.Model], servers: Servers) -> None:
    """A unique key without the tenant would tell one tenant what another has. Prefixes of API keys are random."""
    with servers.postgres.connect() as owner:
        keys = owner.execute(
            "SELECT i.relname, a.attname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
            " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = x.indkey[0]"
            " WHERE x.indrelid = %s::regclass AND x.indisunique",
            [model._meta.db_table],
        ).fetchall()

    assert {name: column for name, column in keys if column != "tenant_id"}.keys() <= {"tenants_apikey_prefix_key"}


def test_a_scope_shows_its_own_tenants_rows_only(tenant: Tenant, other_tenant: Tenant, key_of_each: None) -> None:
    with tenant_scope(tenant.pk):
        assert {key.tenant_id for key in ApiKey.objects.all()} == {tenant.pk}
        with tenant_scope(other_tenant.pk):
            assert {key.tenant_id for key in ApiKey.objects.all()} == {other_tenant.pk}
        assert {key.tenant_id for key in ApiKey.objects.all()} == {tenant.pk}
    with scope_of([tenant.pk, other_tenant.pk]):
        assert {key.tenant_id for key in ApiKey.objects.all()} == {tenant.pk, other_tenant.pk}
    with scope_of([]):
        assert not ApiKey.objects.exists()
    assert current_scope() is None
    assert not ApiKey.objects.exists()


def test_a_row_of_another_tenant_cannot_be_written_changed_or_deleted(
    tenant: Tenant, other_tenant: Tenant, key_of_each: None
) -> None:
    with tenant_scope(other_tenant.pk):
        theirs = ApiKey.objects.get()

    with pytest.raises(Error, match="row-level security"), tenant_scope(tenant.pk):
        ApiKey.objects.create(tenant_id=other_tenant.pk, name="x", prefix="x" * 12, secret_digest=b"", scopes=[])
    with tenant_scope(tenant.pk):
        assert ApiKey.objects.filter(id=theirs.pk).update(name="mine now") == 0
        assert ApiKey.objects.filter(id=theirs.pk).delete()[0] == 0
    with pytest.raises(Error, match="row-level security"), tenant_scope(tenant.pk):
        ApiKey.objects.all().update(tenant_id=other_tenant.pk)


def test_a_foreign_key_cannot_name_another_tenants_row(tenant: Tenant, other_tenant: Tenant, key_of_each: None) -> None:
    """Foreign keys see across row-level security, so the tenant has to be in them."""
    with tenant_scope(other_tenant.pk):
        theirs = ApiKey.objects.get()

    with pytest.raises(Error, match="foreign key"), tenant_scope(tenant.pk):
        ApiKey.objects.all().update(replaced_by_id=theirs.pk)


def test_an_error_in_an_inner_scope_gives_the_outer_one_back(tenant: Tenant, other_tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        with pytest.raises(ZeroDivisionError), tenant_scope(other_tenant.pk):
            _ = 1 / 0

        assert list(Tenant.objects.all()) == [tenant]


def test_one_connection_that_serves_two_tenants_in_turn_never_shows_a_foreign_row(
    tenant: Tenant, other_tenant: Tenant, key_of_each: None
) -> None:
    for owner, alone in itertools.islice(itertools.cycle(itertools.product((tenant, other_tenant), (True, False))), 40):
        with tenant_scope(owner.pk):
            assert {key.tenant_id for key in ApiKey.objects.all()} == {owner.pk}
        if alone:
            assert ApiKey.objects.count() == 0  # autocommit
        else:
            with transaction.atomic():
                assert ApiKey.objects.count() == 0
