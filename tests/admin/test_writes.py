"""What may be changed is changed through services: faults stand beside the form, secrets are shown once."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from deliveries.models import Template
from signals_app.models import SignalSource
from signals_app.services.secrets import opened_secrets
from tenants.admin.paging import page_of
from tenants.models import ApiKey, Membership, OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tenants.services import find_caller, find_tenant
from tenants.services.callers import Caller
from tests.admin.conftest import Furnished, journey
from workflows.definitions.writer import write_yaml
from workflows.models import Definition

ADDS = ["workflows_definition", "deliveries_template", "deliveries_endpoint", "signals_app_signalsource"]
ADDS += ["tenants_apikey", "tenants_membership"]


def secret_in(page: str) -> str:
    found = re.search(r'cw-secret">([^<]+)<', page)
    assert found, page
    return found[1]


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("name", ADDS)
def test_only_an_admin_of_the_tenant_writes(operator: Callable[..., Client], mine: Furnished, name: str, role: Role):
    assert operator(mine.tenant, role=role).get(reverse(f"admin:{name}_add")).status_code == 403


def test_a_key_is_shown_once_and_works(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    said = {"tenant": mine.tenant.pk, "name": "billing", "scopes": ["signals:write"], "expires_at": ""}

    response = client.post(reverse("admin:tenants_apikey_add"), said)

    caller = find_caller(secret_in(response.content.decode()))
    assert isinstance(caller, Caller)
    assert (caller.tenant_id, caller.scopes) == (mine.tenant.pk, {"signals:write"})
    assert "no-store" in response.headers["Cache-Control"]
    with tenant_scope(mine.tenant.pk):
        key = ApiKey.objects.get(name="billing")
    assert secret_in(response.content.decode()) not in client.get(page_of(key)).content.decode()


def test_a_key_is_rotated_and_revoked(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    rotate = page_of(mine.key).replace("change/", "rotate/")
    fresh = secret_in(client.post(rotate, {"overlap_hours": 1, "reason": "leaked"}).content.decode())
    with tenant_scope(mine.tenant.pk):
        successor = ApiKey.objects.get(name=mine.key.name, replaced_by=None)
    ask = {"action": "revoke", "_selected_action": successor.pk, "confirmed": "1", "reason": "leaked too"}
    client.post(reverse("admin:tenants_apikey_changelist"), ask)

    assert find_caller(fresh) == "revoked"


def test_a_draft_is_saved_with_its_faults_listed_by_path(operator: Callable[..., Client], mine: Furnished):
    document = journey("fresh_flow")
    document["steps"][0]["chanel"] = document["steps"][0].pop("channel")
    document["steps"][1]["signals"][0]["then"] = {"goto": "nowhere"}

    said = {"tenant": mine.tenant.pk, "document": write_yaml(document)}
    page = operator(mine.tenant).post(reverse("admin:workflows_definition_add"), said).content.decode()

    assert "/steps/0/chanel" in page
    assert "/steps/0" in page
    with tenant_scope(mine.tenant.pk):
        assert not Definition.objects.filter(key="fresh_flow").exists()


@pytest.mark.parametrize("text", ["steps: [", "{", "just text", "a: &x [*x]"])
def test_what_is_no_document_is_refused(operator: Callable[..., Client], mine: Furnished, text: str):
    said = {"tenant": mine.tenant.pk, "document": text}

    response = operator(mine.tenant).post(reverse("admin:workflows_definition_add"), said)

    assert response.status_code == 200
    assert "Nothing was saved" in response.content.decode()


def test_a_definition_is_changed_compared_and_published(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    document = journey("mine_flow")
    document["steps"][1]["for"] = "P3D"

    edit = page_of(mine.definition).replace("change/", "edit/")
    assert "P1D" in client.get(edit).content.decode()
    client.post(edit, {"document": write_yaml(document)})
    with tenant_scope(mine.tenant.pk):
        draft = Definition.objects.get(version=2)
    page = client.get(page_of(draft)).content.decode()
    assert "/steps/grace/for" in page
    assert "P3D" in page
    ask = {"action": "publish", "_selected_action": draft.pk, "confirmed": "1", "reason": "agreed"}
    client.post(reverse("admin:workflows_definition_changelist"), ask)

    with tenant_scope(mine.tenant.pk):
        assert Definition.objects.get(version=2).status == "published"
        assert OperatorAction.objects.filter(action="publish", moved=True).count() == 1


def test_a_template_that_cannot_be_read_is_refused(operator: Callable[..., Client], mine: Furnished):
    edit = page_of(mine.template).replace("change/", "edit/")

    page = operator(mine.tenant).post(edit, {"text": "{% if %}"}).content.decode()

    assert "/text" in page
    with tenant_scope(mine.tenant.pk):
        assert Template.objects.get(id=mine.template.pk).shown.default["text"] == "Hello"


def test_a_source_is_made_changed_and_its_secrets_stay_hidden(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    said: dict[str, Any] = {"tenant": mine.tenant.pk, "key": "crm", "scheme": "standard_webhooks", "name": "CRM"}
    said |= {"mapping": '{"name": "type", "external_id": "id"}', "name_map": "{}", "enabled": "on"}

    secret = secret_in(client.post(reverse("admin:signals_app_signalsource_add"), said).content.decode())
    with tenant_scope(mine.tenant.pk):
        source = SignalSource.objects.get(key="crm")
    assert opened_secrets(source)[0]["secret"] == secret
    assert secret not in str(source.secrets)
    assert secret not in client.get(page_of(source)).content.decode()
    edit = page_of(source).replace("change/", "edit/")
    assert secret not in client.get(edit).content.decode()
    client.post(edit, {"name": "CRM 2", "mapping": said["mapping"], "name_map": "{}"})

    with tenant_scope(mine.tenant.pk):
        source.refresh_from_db()
    assert (source.name, source.enabled) == ("CRM 2", False)


def test_a_fault_of_an_address_stands_beside_it(operator: Callable[..., Client], mine: Furnished):
    said = {"tenant": mine.tenant.pk, "key": "inside", "url": "ftp://example.com"}

    page = operator(mine.tenant).post(reverse("admin:deliveries_endpoint_add"), said).content.decode()

    assert "/url" in page


def test_a_membership_needs_an_account_that_exists(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    colleague = operator()
    url = reverse("admin:tenants_membership_add")

    refused = client.post(url, {"tenant": mine.tenant.pk, "username": "nobody-here", "role": "viewer"})
    client.post(url, {"tenant": mine.tenant.pk, "username": colleague.username, "role": "viewer"})  # type: ignore[attr-defined]

    assert "No operator account" in refused.content.decode()
    assert colleague.get(page_of(mine.run)).status_code == 200
    with tenant_scope(mine.tenant.pk):
        row = Membership.objects.get(user__username=colleague.username)  # type: ignore[attr-defined]
    ask = {"action": "remove", "_selected_action": row.pk, "confirmed": "1", "reason": "left"}
    response = client.post(reverse("admin:tenants_membership_changelist"), ask)
    assert "1 moved" in " ".join(map(str, get_messages(response.wsgi_request)))
    assert colleague.get(page_of(mine.run)).status_code == 404


def test_a_superuser_makes_a_tenant_and_sees_it(operator: Callable[..., Client]):
    client = operator(superuser=True)
    slug = f"made-{client.username}"  # type: ignore[attr-defined]

    client.post(reverse("admin:tenants_tenant_add"), {"slug": slug, "name": "Made", "time_zone": "UTC"})

    made = find_tenant(slug)
    assert isinstance(made, Tenant)
    assert client.get(page_of(made)).status_code == 200


def test_an_error_in_a_view_undoes_what_it_wrote(
    operator: Callable[..., Client], mine: Furnished, monkeypatch: pytest.MonkeyPatch
):
    client = operator(mine.tenant)
    client.raise_request_exception = False
    monkeypatch.setattr("tenants.admin.writes.record_acts", lambda **_: 1 / 0)

    said = {"tenant": mine.tenant.pk, "key": "halfway", "channel": "in_app", "text": "Hi"}
    response = client.post(reverse("admin:deliveries_template_add"), said)

    assert response.status_code == 500
    with tenant_scope(mine.tenant.pk):
        assert not Template.objects.filter(key="halfway").exists()
