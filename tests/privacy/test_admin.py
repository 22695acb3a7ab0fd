"""Erasing a subject at the admin."""

from collections.abc import Callable

from django.test import Client
from django.urls import reverse

from signals_app.models import SubjectErasure
from tenants.models import Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.journeys import GRACE, run_of, waiting_run

__all__ = ["operator"]
ADD = "admin:signals_app_subjecterasure_add"


def said(tenant: Tenant, **given: str) -> dict[str, str]:
    return {"tenant": str(tenant.pk), "subject": "ada", "reason": "asked by mail", "sure": "on"} | given


def test_an_admin_erases_and_the_record_shows_who(operator: Callable[..., Client], tenant: Tenant) -> None:
    run_id = waiting_run(tenant, GRACE, subject="ada")
    client = operator(tenant)

    unsure = client.post(reverse(ADD), said(tenant, sure=""))
    done = client.post(reverse(ADD), said(tenant), follow=True)

    assert (unsure.status_code, done.status_code) == (200, 200)
    assert run_of(tenant, run_id).state == "cancelled"
    with tenant_scope(tenant.pk):
        record = SubjectErasure.objects.get()
    assert (record.cause, record.cause_ref) == ("operator", client.username)  # type: ignore[attr-defined]
    page = done.content.decode()
    assert "asked by mail" in page
    assert run_of(tenant, run_id).subject in page
    assert "ada<" not in page
    listed = client.get(reverse("admin:signals_app_subjecterasure_changelist")).content.decode()
    assert "asked by mail" in listed


def test_who_may_only_look_or_act_erases_nothing(operator: Callable[..., Client], tenant: Tenant) -> None:
    run_id = waiting_run(tenant, GRACE, subject="ada")

    answers = [operator(tenant, role=role).post(reverse(ADD), said(tenant)) for role in (Role.VIEWER, Role.OPERATOR)]

    assert [answer.status_code for answer in answers] == [403, 403]
    assert run_of(tenant, run_id).state == "waiting"
    with tenant_scope(tenant.pk):
        assert not SubjectErasure.objects.exists()


def test_an_admin_of_another_tenant_erases_nothing_of_ours(
    operator: Callable[..., Client], tenant: Tenant, other_tenant: Tenant
) -> None:
    run_id = waiting_run(tenant, GRACE, subject="ada")

    answer = operator(other_tenant).post(reverse(ADD), said(tenant))

    assert answer.status_code == 200  # the form again: no such tenant to choose
    assert run_of(tenant, run_id).state == "waiting"
