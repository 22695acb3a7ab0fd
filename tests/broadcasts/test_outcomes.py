"""What became of a broadcast: counted by state, and by step and status; what was withheld is not a failure."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from deliveries.models import Broadcast, Delivery
from tenants.admin.paging import page_of
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.broadcasts.conftest import HEADLINE, NEWS, Sender
from tests.journeys import drain, publish

TO_SOME = {
    **NEWS,
    "key": "to_some",
    "steps": [
        {"key": "tell", "kind": "deliver", "channel": "in_app", "template": "hello"},
        {"key": "mail", "kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"},
    ],
}


def test_runs_and_messages_are_counted_and_shown(
    sender: Sender, operator: Callable[..., Client], client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    publish(sender.tenant, TO_SOME)
    sender.rest.put("/v1/recipients/bob/preferences", {"rules": [{"channel": "in_app", "allowed": False}]})
    alone = sender.make(subjects=["dee"], data=HEADLINE)  # another broadcast, which counts for itself
    made = sender.make(workflow="to_some", subjects=["ada", "bob", "ada"], data=HEADLINE)
    for one in (alone, made):
        sender.start(one["id"])
    sender.go_on()
    drain(sender.tenant)
    with tenant_scope(sender.tenant.pk):
        Delivery.objects.filter(subject="ada", channel="in_app").update(opened_at="2026-01-01T00:00:00Z")

    path = f"/v1/broadcasts/{made['id']}/outcomes"
    told = sender.rest.get(path).json()

    assert told["runs"] == {"completed": 2}
    assert [(one["step"], one["status"], one["count"], one["opened"]) for one in told["deliveries"]] == [
        ("mail", "permanent_failure", 2, 0),
        ("tell", "delivered", 1, 1),
        ("tell", "suppressed", 1, 0),
    ]
    assert sender.rest.get(f"/v1/broadcasts/{alone['id']}/outcomes").json()["runs"] == {"waiting": 1}
    assert client_of(sender.tenant, {Scope.RUNS_READ}).get(path).status_code == 403
    assert client_of(other_tenant).get(path).status_code == 404

    browser = operator(sender.tenant)
    with tenant_scope(sender.tenant.pk):
        row = Broadcast.objects.get(public_id=made["id"])
    page = browser.get(page_of(row)).content.decode()
    runs = reverse("admin:workflows_run_changelist", query={"broadcast": made["id"]})
    assert "What became of its messages" in page
    assert f'href="{runs}"' in page
    shown = browser.get(runs).content.decode()
    assert ">ada<" in shown
    assert ">dee<" not in shown


__all__ = ["operator"]
