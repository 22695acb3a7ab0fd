"""Providers in the admin: stored by a form, their credentials seen by nobody."""

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from deliveries.models import Provider
from tenants.admin.paging import page_of
from tenants.models import Role, Tenant
from tenants.scope import tenant_scope

CANARY = "canary-of-a-credential"
ADD = "admin:deliveries_provider_add"


def said(tenant: Tenant, **changed: Any) -> dict[str, Any]:
    asked = {"tenant": tenant.pk, "key": "own", "kind": "smtp", "position": 1, "enabled": "on", "rate_seconds": 1}
    words = {
        "config": "host: mail.example.com\nfrom: us@example.com",
        "credentials": f"username: us\npassword: {CANARY}",
    }
    return asked | words | changed


def stored(tenant: Tenant) -> list[Provider]:
    with tenant_scope(tenant.pk):
        return list(Provider.objects.filter(tenant_id=tenant.pk))


def test_credentials_are_typed_in_and_shown_nowhere(operator: Callable[..., Client], tenant: Tenant) -> None:
    client = operator(tenant)

    made = client.post(reverse(ADD), said(tenant, rate_count=5))
    (row,) = stored(tenant)
    edit = page_of(row).replace("change/", "edit/")
    client.post(edit, said(tenant, credentials="", position=4))
    (after,) = stored(tenant)
    pages = [made, *map(client.get, (page_of(row), edit, reverse("admin:deliveries_provider_changelist")))]

    assert (row.credentials["password"], row.rate_count) == (CANARY, 5)
    assert (after.credentials["password"], after.position) == (CANARY, 4)
    assert [CANARY in page.content.decode() for page in pages] == [False] * 4
    assert "password, username" in pages[1].content.decode()


def test_what_cannot_be_read_is_refused_without_being_told(operator: Callable[..., Client], tenant: Tenant) -> None:
    client = operator(tenant)

    for wrong in (f"{CANARY}: [", f"- {CANARY}", f"{CANARY}"):
        page = client.post(reverse(ADD), said(tenant, credentials=wrong))
        told = page.content.decode()
        assert "/credentials" in told
        assert CANARY not in told
    assert stored(tenant) == []


def test_only_an_admin_stores_providers(operator: Callable[..., Client], tenant: Tenant) -> None:
    assert operator(tenant, role=Role.OPERATOR).get(reverse(ADD)).status_code == 403
