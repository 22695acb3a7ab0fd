"""Secrets: values go in, are sealed, count for as long as they should, and come out for steps alone."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from rest_framework.test import APIClient

from chimeway_py.errors import Invalid, NotFound
from tenants.models import IdempotencyRecord, Secret, Tenant
from tenants.scope import tenant_scope
from tenants.services.secrets import TooManyValues, delete_secret, put_secret, secret_exists, secret_values

VALUE = "canary-of-a-secret-7f3a"


def test_a_value_is_read_back_by_its_tenant_alone(tenant: Tenant, other_tenant: Tenant) -> None:
    put_secret(tenant_id=tenant.pk, key="crm", value=VALUE)

    assert secret_values(tenant_id=tenant.pk, key="crm") == [VALUE]
    assert secret_values(tenant_id=other_tenant.pk, key="crm") == []
    assert (secret_exists(tenant_id=tenant.pk, key="crm"), secret_exists(tenant_id=other_tenant.pk, key="crm")) == (
        True,
        False,
    )


def test_it_is_sealed_at_rest(tenant: Tenant) -> None:
    put_secret(tenant_id=tenant.pk, key="crm", value=VALUE)

    with tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute("SELECT entries::text FROM tenants_secret WHERE tenant_id = %s", [tenant.pk])
        assert VALUE not in cursor.fetchone()[0]


def test_values_of_before_count_for_the_overlap(tenant: Tenant) -> None:
    made = put_secret(tenant_id=tenant.pk, key="sign").made
    put_secret(tenant_id=tenant.pk, key="sign", value="second", overlap=timedelta(hours=1))
    assert secret_values(tenant_id=tenant.pk, key="sign") == ["second", made]

    put_secret(tenant_id=tenant.pk, key="sign", value="third")

    assert made.startswith("whsec_")
    assert secret_values(tenant_id=tenant.pk, key="sign") == ["third"]


def test_no_more_than_three_values_count(tenant: Tenant) -> None:
    for value in "abc":
        put_secret(tenant_id=tenant.pk, key="sign", value=value, overlap=timedelta(hours=1))

    with pytest.raises(TooManyValues):
        put_secret(tenant_id=tenant.pk, key="sign", value="d", overlap=timedelta(hours=1))

    assert secret_values(tenant_id=tenant.pk, key="sign") == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("key", "value", "overlap"),
    [
        ("CRM", "v", timedelta(0)),
        ("", "v", timedelta(0)),
        ("crm", "two\r\nlines", timedelta(0)),
        ("crm", "é", timedelta(0)),
        ("crm", "x" * 4097, timedelta(0)),
        ("crm", "v", timedelta(days=31)),
        ("crm", "v", timedelta(seconds=-1)),
    ],
)
def test_what_is_refused_is_not_stored(key: str, value: str, overlap: timedelta, tenant: Tenant) -> None:
    with pytest.raises(Invalid):
        put_secret(tenant_id=tenant.pk, key=key, value=value, overlap=overlap)

    with tenant_scope(tenant.pk):
        assert Secret.objects.filter(tenant_id=tenant.pk).count() == 0


def test_a_forgotten_secret_is_gone(tenant: Tenant) -> None:
    put_secret(tenant_id=tenant.pk, key="crm", value=VALUE)

    delete_secret(tenant_id=tenant.pk, key="crm")

    assert secret_values(tenant_id=tenant.pk, key="crm") == []
    with pytest.raises(NotFound):
        delete_secret(tenant_id=tenant.pk, key="crm")


def test_rest_stores_and_shows_no_value(tenant: Tenant, rest: APIClient) -> None:
    stored = rest.put("/v1/secrets/crm", {"value": VALUE})
    shown = [rest.get("/v1/secrets/crm"), rest.get("/v1/secrets")]

    assert (stored.status_code, stored.json()["value"]) == (200, "")
    assert [answer.status_code for answer in shown] == [200, 200]
    assert all(VALUE not in answer.content.decode() and "sealed" not in answer.content.decode() for answer in shown)
    assert rest.delete("/v1/secrets/crm").status_code == 204
    assert rest.get("/v1/secrets/crm").status_code == 404


def test_a_made_value_is_shown_once(tenant: Tenant, rest: APIClient) -> None:
    first, replay = (rest.put("/v1/secrets/sign", {}, HTTP_IDEMPOTENCY_KEY="once") for _ in range(2))

    assert first.json()["value"].startswith("whsec_")
    assert "value" not in replay.json()
    with tenant_scope(tenant.pk):
        kept = list(IdempotencyRecord.objects.filter(tenant_id=tenant.pk).values_list("sealed"))
    assert first.json()["value"] not in str(kept)


def test_another_tenants_secret_does_not_exist(
    tenant: Tenant, other_tenant: Tenant, rest: APIClient, client_of: Callable[..., APIClient]
) -> None:
    rest.put("/v1/secrets/crm", {"value": VALUE})
    theirs = client_of(other_tenant)

    assert (theirs.get("/v1/secrets/crm").status_code, theirs.delete("/v1/secrets/crm").status_code) == (404, 404)
    assert theirs.get("/v1/secrets").json()["items"] == []
    assert secret_values(tenant_id=tenant.pk, key="crm") == [VALUE]
