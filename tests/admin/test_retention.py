"""Policies, prunes, holds and tombstones at the admin, with the powers that REST and the command line have."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished
from tests.retention.conftest import ended, exists, keep  # noqa: F401  a fixture of these tests, too
from workflows.models import LegalHold, PruneOrder, RetentionPolicy, Run
from workflows.retention.holds import place_hold
from workflows.retention.pruning import carry_out
from workflows.retention.tombstones import tombstone_of
from workflows.services.replay import replay_run
from workflows.states import Cause

ADDS = ["workflows_retentionpolicy", "workflows_pruneorder", "workflows_legalhold"]
PLAN = "admin:workflows_pruneorder_add"


def act(client: Client, model: str, action: str, row: Any) -> None:
    asked = {"action": action, "_selected_action": row.pk, "confirmed": "1", "reason": "a test"}
    client.post(reverse(f"admin:workflows_{model}_changelist"), asked)


def offered(client: Client, tenant: Tenant) -> dict[str, Any]:
    """The form of a tenant's plan, filled in."""
    page = client.get(reverse(PLAN)).content.decode()
    plans = dict(re.findall(r'name="tenant" value="(\d+)".*?name="plan" value="([^"]+)"', page, re.DOTALL))
    return {"tenant": tenant.pk, "plan": plans[str(tenant.pk)], "reason": "too old"}


def count(model: Any, tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return int(model.objects.filter(tenant_id=tenant.pk).count())


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("name", ADDS)
def test_only_an_admin_of_the_tenant_decides(operator: Callable[..., Client], mine: Furnished, name: str, role: Role):
    client = operator(mine.tenant, role=role)

    assert client.get(reverse(f"admin:{name}_add")).status_code == 403
    assert client.post(reverse(f"admin:{name}_add"), {}).status_code == 403
    act(client, "legalhold", "release", mine.hold)
    act(client, "retentionpolicy", "drop", mine.policy)

    with tenant_scope(mine.tenant.pk):
        assert LegalHold.objects.get().released_at is None
        assert RetentionPolicy.objects.count() == 1


def test_a_policy_is_made_changed_and_taken_back(operator: Callable[..., Client], tenant: Tenant):
    client = operator(tenant)
    add = reverse("admin:workflows_retentionpolicy_add")

    refused = client.post(add, {"tenant": tenant.pk, "what": "signals", "days": 1}).content.decode()
    client.post(add, {"tenant": tenant.pk, "what": "completed", "days": 90})
    with tenant_scope(tenant.pk):
        policy = RetentionPolicy.objects.get()
    client.post(page_of(policy).replace("change/", "edit/"), {"days": 30, "is_automatic": "on"})
    with tenant_scope(tenant.pk):
        policy.refresh_from_db()

    assert "/days" in refused
    assert (policy.what, policy.days, policy.is_automatic) == ("completed", 30, True)
    assert policy.changed_by == client.username  # type: ignore[attr-defined]
    act(client, "retentionpolicy", "drop", policy)
    assert count(RetentionPolicy, tenant) == 0


def test_a_plan_shows_counts_and_is_ordered(
    operator: Callable[..., Client],
    tenant: Tenant,
    ended: Callable[..., Run],  # noqa: F811
):
    run, held = ended(tenant), ended(tenant, subject="bob")
    place_hold(tenant_id=tenant.pk, on="subject", value="bob", reason="court", placed_by="ada")
    keep(tenant)
    client = operator(tenant)

    page = client.get(reverse(PLAN)).content.decode()
    done = client.post(reverse(PLAN), offered(client, tenant), follow=True).content.decode()

    assert re.search(r"<td>Completed</td>\s*<td>1</td>\s*<td>1</td>", page)
    assert "goes on within minutes" in done
    with tenant_scope(tenant.pk):
        order = PruneOrder.objects.get()
        assert OperatorAction.objects.filter(object_kind="pruneorder", reason="too old").count() == 1
    assert (order.reason, order.ordered_by) == ("too old", client.username)  # type: ignore[attr-defined]
    carry_out(tenant_id=tenant.pk, public_id=order.public_id)
    assert [exists(tenant, one) for one in (run, held)] == [False, True]
    assert "Done." in client.get(page_of(order)).content.decode()


def test_a_plan_that_changed_or_says_no_reason_is_not_ordered(
    operator: Callable[..., Client],
    tenant: Tenant,
    ended: Callable[..., Run],  # noqa: F811
):
    ended(tenant)
    keep(tenant)
    client = operator(tenant)
    asked = offered(client, tenant)
    ended(tenant)

    silent = client.post(reverse(PLAN), asked | {"reason": " "}, follow=True).content.decode()
    late = client.post(reverse(PLAN), asked, follow=True).content.decode()

    assert "Say why" in silent
    assert "no longer what the plan said" in late
    assert count(PruneOrder, tenant) == 0


def test_another_tenants_plan_is_neither_shown_nor_ordered(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
):
    stolen = offered(operator(theirs.tenant), theirs.tenant)
    client = operator(mine.tenant)
    before = count(PruneOrder, theirs.tenant)

    page = client.post(reverse(PLAN), stolen, follow=True).content.decode()

    assert "theirs" not in page
    assert count(PruneOrder, theirs.tenant) == before


def test_a_hold_is_placed_and_released(
    operator: Callable[..., Client],
    tenant: Tenant,
    ended: Callable[..., Run],  # noqa: F811
):
    run = ended(tenant)
    client = operator(tenant)
    add = reverse("admin:workflows_legalhold_add")
    asked = {"tenant": tenant.pk, "on": "run", "value": str(run.public_id), "reason": "court"}

    refused = client.post(add, asked | {"value": "nobody"}).content.decode()
    page = client.post(add, asked, follow=True).content.decode()

    assert "No such run" in refused
    assert "court" in page
    with tenant_scope(tenant.pk):
        hold = LegalHold.objects.get()
    act(client, "legalhold", "release", hold)
    with tenant_scope(tenant.pk):
        hold.refresh_from_db()
    assert hold.released_by == client.username  # type: ignore[attr-defined]
    assert "It is released." in client.get(page_of(hold)).content.decode()


def test_pages_of_runs_and_tombstones_lead_to_each_other(
    operator: Callable[..., Client],
    tenant: Tenant,
    ended: Callable[..., Run],  # noqa: F811
):
    original = ended(tenant)
    asked = {"cause": Cause.OPERATOR, "cause_ref": "ada", "reason": "again"}
    replay = replay_run(tenant_id=tenant.pk, public_id=original.public_id, **asked)
    keep(tenant)
    client = operator(tenant)
    client.post(reverse(PLAN), offered(client, tenant))
    with tenant_scope(tenant.pk):
        order = PruneOrder.objects.get()
        run = Run.objects.get(public_id=replay.public_id)
    carry_out(tenant_id=tenant.pk, public_id=order.public_id)
    stone = tombstone_of(tenant_id=tenant.pk, public_id=original.public_id)

    assert page_of(stone) in client.get(page_of(run)).content.decode()
    page = client.get(page_of(stone)).content.decode()
    assert bytes(stone.last_hash).hex() in page
    assert "too old" in page
