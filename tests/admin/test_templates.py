"""Templates in the admin: seen, tried and published."""

from collections.abc import Callable
from typing import Any

from django.test import Client

from chimeway_py.embedded.mailbox import Mailbox
from deliveries.models import TemplateVersion
from deliveries.services import put_template
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tests.deliveries.conftest import Journey


def test_the_admin_shows_publishes_and_tries(
    operator: Callable[..., Client], tenant: Tenant, smtp_sink: Mailbox
) -> None:
    put_template(
        tenant_id=tenant.pk, key="hello", channel="email", text="t", subject="Hello", locales={"de": {"text": "d"}}
    )
    words: dict[str, Any] = {"subject": "Draft {{ data.name }}", "text": "t", "locales": {"de": {"text": "d"}}}
    template, _ = put_template(tenant_id=tenant.pk, key="hello", channel="email", **words, draft=True)
    journey = Journey(tenant)
    client = operator(tenant)
    trying = page_of(template).replace("change/", "try/")

    page = client.get(page_of(template)).content.decode()
    edited = client.get(page_of(template).replace("change/", "edit/")).content.decode()
    shown = client.post(trying, {"data": '{"name": "<b>Bob</b>"}'}).content.decode()
    wrong = client.post(trying, {"data": "{"}).content.decode()
    wanted, _ = put_template(
        tenant_id=tenant.pk, key="all", channel="email", text="{{ steps.collect.count }} {{ recipient.id }}"
    )
    about = {"subject": "ada", "steps": '{"collect": {"count": 17}}'}
    whole = client.post(page_of(wanted).replace("change/", "try/"), about).content.decode()
    client.post(trying, {"data": '{"name": "Bob"}', "to": "olga@example.com"})
    ask = {"action": "publish", "_selected_action": template.pk, "confirmed": "1", "reason": "agreed"}
    client.post("/admin/deliveries/template/", ask)
    journey.work()
    journey.work()

    assert "Publish the draft" in page
    assert "text: d" in edited
    assert "Draft &lt;b&gt;Bob&lt;/b&gt;" in shown
    assert "/data" in wrong
    assert "17 ada" in whole
    assert [str(mail["Subject"]) for mail in smtp_sink.to("olga@example.com")] == ["Draft Bob"]
    assert journey.read(lambda: set(TemplateVersion.objects.values_list("number", "status"))) == {
        (1, "published"),
        (2, "published"),
    }
    acts = journey.read(lambda: set(OperatorAction.objects.values_list("action", "moved")))
    assert acts == {("test", True), ("publish", True)}


def test_only_an_admin_tries_templates(operator: Callable[..., Client], tenant: Tenant, other_tenant: Tenant) -> None:
    template, _ = put_template(tenant_id=tenant.pk, key="hello", channel="email", text="t")
    trying = page_of(template).replace("change/", "try/")

    assert operator(tenant, role=Role.OPERATOR).get(trying).status_code == 403
    assert operator(other_tenant).get(trying).status_code == 404
