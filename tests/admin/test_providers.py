"""Providers in the admin: stored by a form, their credentials seen by nobody."""

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse
from pytest_httpserver import HTTPServer

from deliveries.models import Provider
from tenants.admin.paging import page_of
from tenants.models import Role, Tenant
from tenants.models.operator_action import OperatorAction
from tenants.scope import tenant_scope
from tests.deliveries.test_provider_trying import MESSAGES, NUMBER, go_on
from tests.deliveries.test_providers import sms

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


def test_a_test_is_sent_and_the_page_shows_the_answer(
    tenant: Tenant, operator: Callable[..., Client], httpserver: HTTPServer, settings: Any
) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    httpserver.expect_request(MESSAGES).respond_with_json({"sid": "SM8"}, status=201)
    client, page = operator(tenant), page_of(sms(tenant, "texts", httpserver.url_for("")))
    form = page.replace("change/", "test/")

    wrong = client.post(form, {"to": "nobody"}).content.decode()
    sent = client.post(form, {"to": NUMBER})
    waiting = client.get(page).content.decode()
    go_on(tenant)
    answered = client.get(page).content.decode()

    assert "One number with its country" in wrong
    assert sent["Location"] == page
    assert ("http-equiv" in waiting, "on its way" in waiting) == (True, True)
    assert ("http-equiv" in answered, "SM8" in answered) == (False, True)
    with tenant_scope(tenant.pk):
        (act,) = OperatorAction.objects.filter(tenant_id=tenant.pk, action="test")
    assert act.username in answered
    assert operator(tenant, role=Role.OPERATOR).post(form, {"to": NUMBER}).status_code == 403
