"""Starting runs at the admin: by operators, all or none, and every fault beside its field."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.test import Client
from django.urls import reverse

from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, publish, rows_of
from workflows.models import Run

ASK = {"workflow": "dunning", "correlation": '{"invoice_id": "42"}', "data": "{}", "reason": "the import missed them"}


def test_an_operator_starts_runs_once(operator: Callable[..., Client], tenant: Tenant) -> None:
    publish(tenant, GRACE)
    client, url = operator(tenant, role=Role.OPERATOR), reverse("admin:workflows_run_start")
    asked = ASK | {"tenant": tenant.pk, "subjects": " ada\n\nbob ", "idempotency_key": "w1", "at": "2100-01-01 09:00"}
    assert "Start runs" in client.get(reverse("admin:workflows_run_changelist")).content.decode()

    told = [client.post(url, asked, follow=True).content.decode() for _ in range(2)]

    assert "2 started, 0 here already." in told[0]
    assert "0 started, 2 here already." in told[1]
    with tenant_scope(tenant.pk):
        runs = list(Run.objects.filter(tenant_id=tenant.pk).order_by("subject"))
        acts = set(OperatorAction.objects.filter(action="start").values_list("object_ref", "reason"))
    assert [(run.subject, run.idempotency_key, run.due_at) for run in runs] == [
        (subject, f"w1:{subject}", datetime(2100, 1, 1, 9, tzinfo=UTC)) for subject in ("ada", "bob")
    ]
    assert acts == {(str(run.public_id), "the import missed them") for run in runs}


def test_what_is_refused_writes_nothing(operator: Callable[..., Client], tenant: Tenant, other_tenant: Tenant) -> None:
    schema = {"properties": {"amount": {"type": "integer"}}, "required": ["amount"]}
    publish(tenant, GRACE | {"data_schema": schema})
    client, url = operator(tenant, role=Role.OPERATOR), reverse("admin:workflows_run_start")
    before = rows_of(tenant)
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"workflow": "nobody"}, "No published definition"),
        ({"version": "7"}, "version 7"),
        ({"data": "[1]"}, "A JSON object."),
        ({"data": "{"}, "The body is not JSON"),
        ({"data": '{"amount": "x"}'}, "/data/amount: "),
        ({"correlation": '{"other": "1"}'}, "/correlation/other: "),
        ({"subjects": "x" * 201}, "/subjects: "),
        ({"subjects": "\n".join(map(str, range(1001)))}, "/subjects: At most 1000"),
        ({"at": "soon"}, "Enter a valid date"),
        ({"reason": " "}, "required"),
        ({"tenant": other_tenant.pk}, "Select a valid choice"),
    ]

    for said, why in wrong:
        asked = ASK | {"tenant": tenant.pk, "subjects": "ada", "data": '{"amount": 1}'} | said
        assert why in client.post(url, asked).content.decode(), said

    assert operator(tenant, role=Role.VIEWER).post(url, ASK).status_code == 403
    assert rows_of(tenant) == before
