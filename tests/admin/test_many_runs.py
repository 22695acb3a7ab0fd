"""Bulk calls, sticky cancels and external work at the admin."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished
from tests.journeys import GRACE, drain, publish, run_of, start, told_of, waiting_run
from tests.steps.test_compensation import resting, undone
from tests.workflows.conftest import probe
from tests.workflows.probe import Probe
from workflows.models import ExternalWork, Run, StickyCancel, Wait

__all__ = ["probe"]

BULK, STICKY = "admin:workflows_run_bulk", "admin:workflows_stickycancel_add"
EXTERNAL = {"key": "transfer", "kind": "external", "of": "bank_transfer", "id": "data.id"}


def look(client: Client, tenant: Tenant, **where: str) -> str:
    asked = {"tenant": tenant.pk, "action": "cancel"} | where
    return client.post(reverse(BULK), asked).content.decode()


def offered(page: str) -> dict[str, Any]:
    """The form of the next batch, filled in."""
    return {
        name: unescape(value)
        for name, value in re.findall(r'name="(tenant|plan|reason|until|version)" value="([^"]*)"', page)
    }


def go(client: Client, page: str, **more: Any) -> str:
    return client.post(reverse(BULK), offered(page) | {"reason": "wrong import"} | more).content.decode()


def states(tenant: Tenant, *runs: int) -> list[str]:
    return [run_of(tenant, run).state for run in runs]


def test_all_that_meet_a_condition_are_looked_at_and_cancelled(operator: Callable[..., Client], tenant: Tenant):
    mine, others = waiting_run(tenant, subject="ada"), waiting_run(tenant, subject="bob")
    client = operator(tenant, role=Role.OPERATOR)

    page = look(client, tenant, subject="ada", correlation="invoice_id=42")
    assert "Selected: 1 waiting. To cancel: 1." in page
    assert str(run_of(tenant, mine).public_id) in page
    assert states(tenant, mine) == ["waiting"]

    assert "Cancel: 1 moved, 0 refused, 0 to come." in go(client, page)
    assert states(tenant, mine, others) == ["cancelled", "waiting"]
    with tenant_scope(tenant.pk):
        act = OperatorAction.objects.get()
    assert (act.action, act.reason, act.moved) == ("bulk cancel", "wrong import", True)


def test_a_cancel_in_bulk_undoes_where_it_is_ticked(operator: Callable[..., Client], tenant: Tenant, probe: Probe):
    ticked, plain = resting(tenant), resting(tenant)
    client = operator(tenant, role=Role.OPERATOR)
    where = {"workflow": "order", "state": "waiting"}

    assert "/compensate" in look(client, tenant, **where, action="pause", compensate="on")
    with tenant_scope(tenant.pk):
        Run.objects.filter(id=plain).update(subject="bob")
    page = look(client, tenant, **where, subject="ada", compensate="on")
    assert "To be undone: 1 order.charge, 1 order.reserve, 1 order.ship." in page
    assert "Cancel: 1 moved" in go(client, page)
    assert "Cancel: 1 moved" in go(client, look(client, tenant, **where))

    assert len(undone(tenant, ticked)) == 3
    assert (undone(tenant, plain), states(tenant, ticked, plain)) == ([], ["cancelled", "cancelled"])


def test_approvals_are_decided_in_bulk_in_the_operators_name(operator: Callable[..., Client], tenant: Tenant):
    sign_off = {"key": "sign_off", "kind": "approval"}
    publish(tenant, {"key": "refund", "steps": [sign_off]})
    asked, other = start(tenant, "refund"), waiting_run(tenant)
    drain(tenant)
    client = operator(tenant, role=Role.OPERATOR)

    assert "/step" in look(client, tenant, subject="ada", step="sign_off")
    page = look(client, tenant, action="approve", subject="ada", step="sign_off")
    assert "Selected: 2 waiting. To approve: 1." in page
    done = go(client, page, reason="checked")

    assert "Approve: 1 moved, 1 refused, 0 to come." in done
    assert "The run does not wait for an approval." in done
    assert states(tenant, asked, other) == ["completed", "waiting"]
    with tenant_scope(tenant.pk):
        assert Wait.objects.get(run_id=asked).decided_by == client.get("/admin/").context["user"].username
        acts = OperatorAction.objects.order_by("id").values_list("action", "reason", "moved")
        assert list(acts) == [("bulk approve", "checked", True), ("bulk approve", "checked", False)]


def test_many_are_paused_until_a_time_and_replayed_on_the_latest_version(
    operator: Callable[..., Client], tenant: Tenant
):
    run_id = waiting_run(tenant)
    client = operator(tenant, role=Role.OPERATOR)

    assert "/until" in look(client, tenant, subject="ada", until="2100-01-01 09:00")
    assert "/version" in look(client, tenant, subject="ada", version="latest")
    page = look(client, tenant, action="pause", subject="ada", until="2100-01-01 09:00")
    assert "Pause: 1 moved" in go(client, page)
    paused = run_of(tenant, run_id)
    assert (paused.state, paused.suspended_until) == ("paused", datetime(2100, 1, 1, 9, tzinfo=UTC))

    go(client, look(client, tenant, subject="ada"))
    publish(tenant, GRACE | {"description": "other words"})
    done = go(client, look(client, tenant, action="replay", subject="ada", version="latest"))

    assert "Replay: 1 moved" in done
    with tenant_scope(tenant.pk):
        assert Run.objects.get(replayed_from=run_id).definition.version == 2


def test_batches_go_on_until_none_is_left(
    operator: Callable[..., Client], tenant: Tenant, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("workflows.admin.bulk.BATCH", 2)
    runs = [waiting_run(tenant) for _ in range(3)]
    client = operator(tenant)

    first = go(client, look(client, tenant, workflow="dunning"))
    second = go(client, first)

    assert "Cancel: 2 moved, 0 refused, 1 to come." in first
    assert "Cancel: 1 moved, 0 refused, 0 to come." in second
    assert offered(second) == {}
    assert states(tenant, *runs) == ["cancelled"] * 3


def test_what_means_nothing_is_said_beside_its_field_and_does_nothing(operator: Callable[..., Client], tenant: Tenant):
    run = waiting_run(tenant)
    client = operator(tenant)

    assert "at least one condition" in look(client, tenant)
    assert "/correlation" in look(client, tenant, correlation="42")
    page = look(client, tenant, subject="ada")
    assert "Say why" in go(client, page, reason=" ")
    assert "The plan is not valid." in go(client, page, plan="nonsense")
    assert states(tenant, run) == ["waiting"]


def test_nobody_acts_in_bulk_where_the_role_does_not_allow_it(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
):
    viewer, stranger = operator(mine.tenant, role=Role.VIEWER), operator(mine.tenant)
    page = look(operator(theirs.tenant), theirs.tenant, subject="theirs_anna")

    assert viewer.get(reverse(BULK)).status_code == 403
    assert viewer.post(reverse(BULK), offered(page)).status_code == 403
    assert "Act on all" not in viewer.get(reverse("admin:workflows_run_changelist")).content.decode()
    assert "Act on all" in stranger.get(reverse("admin:workflows_run_changelist")).content.decode()
    assert "Select a valid choice" in look(stranger, theirs.tenant, subject="theirs_anna")
    assert "Nothing was done" in go(stranger, page)
    assert run_of(theirs.tenant, theirs.run.pk).state == "waiting"


def test_a_sticky_cancel_is_placed_and_lifted(operator: Callable[..., Client], tenant: Tenant):
    live = waiting_run(tenant)
    client = operator(tenant, role=Role.OPERATOR)
    asked = {"tenant": tenant.pk, "correlation": "invoice_id=42", "ttl": "P1D", "reason": "withdrawn"}

    assert "/ttl" in client.post(reverse(STICKY), asked | {"ttl": "soon"}).content.decode()
    assert "/idempotency_key" in client.post(reverse(STICKY), asked | {"correlation": ""}).content.decode()
    page = client.post(reverse(STICKY), asked | {"compensate": "on"}, follow=True).content.decode()

    assert told_of(tenant, live, "cancelled")[0]["compensate"] is True
    assert "1 live runs under it were cancelled." in page
    later = start(tenant, "dunning", correlation={"invoice_id": "42"})
    assert states(tenant, live, later) == ["cancelled", "cancelled"]
    with tenant_scope(tenant.pk):
        sticky = StickyCancel.objects.get()
    lift = {"action": "lift", "_selected_action": sticky.pk, "confirmed": "1", "reason": "a mistake"}
    client.post(reverse("admin:workflows_stickycancel_changelist"), lift)
    assert client.get(page_of(sticky)).status_code == 404
    assert states(tenant, start(tenant, "dunning", correlation={"invoice_id": "42"})) == ["pending"]
    assert operator(tenant, role=Role.VIEWER).get(reverse(STICKY)).status_code == 403


def test_an_operator_notes_the_end_of_external_work(operator: Callable[..., Client], tenant: Tenant):
    publish(tenant, {"key": "paying", "steps": [EXTERNAL]})
    run = start(tenant, "paying", data={"id": "tr-1"})
    drain(tenant)
    with tenant_scope(tenant.pk):
        work = ExternalWork.objects.get()
    client = operator(tenant, role=Role.OPERATOR)
    note = {"_selected_action": work.pk, "confirmed": "1", "reason": "seen at the bank"}
    url = reverse("admin:workflows_externalwork_changelist")

    assert str(run_of(tenant, run).public_id) in client.get(page_of(work)).content.decode()
    operator(tenant, role=Role.VIEWER).post(url, note | {"action": "succeeded"})
    assert states(tenant, run) == ["active"]
    client.post(url, note | {"action": "succeeded"})
    late = client.post(url, note | {"action": "failed"}, follow=True).content.decode()

    assert states(tenant, run) == ["completed"]
    assert "it has another end already" in late


def test_an_operator_notes_external_work_with_what_it_brought_back(operator: Callable[..., Client], tenant: Tenant):
    enough = {"if": {"path": "data.receipt.cents", "gte": 5}, "then": {"stop": "enough"}}
    publish(
        tenant,
        {
            "key": "paying",
            "steps": [EXTERNAL | {"answer": "receipt"}, {"key": "look", "kind": "branch", "when": [enough]}],
        },
    )
    client, add = operator(tenant, role=Role.OPERATOR), reverse("admin:workflows_externalwork_add")
    known = {"tenant": tenant.pk, "kind": "bank_transfer", "external_id": "tr-1", "status": "running"}

    assert "A JSON object." in client.post(add, known | {"data": "[1]"}).content.decode()
    with tenant_scope(tenant.pk):
        assert not ExternalWork.objects.exists()
    client.post(add, known | {"data": "{}"})
    with tenant_scope(tenant.pk):
        work = ExternalWork.objects.get()
    run = start(tenant, "paying", data={"id": "tr-1"})
    drain(tenant)
    edit = page_of(work).replace("/change/", "/edit/")
    assert (work.status, edit in client.get(page_of(work)).content.decode()) == ("running", True)
    ended = {"status": "succeeded", "data": '{"cents": 5}'}
    client.post(edit, ended)
    drain(tenant)
    late = client.post(edit, {"status": "failed", "error": "late"}).content.decode()

    assert (states(tenant, run), "It has an end already" in late) == (["stopped"], True)
    with tenant_scope(tenant.pk):
        acts = list(OperatorAction.objects.order_by("id").values_list("action", "object_kind"))
    assert acts == [("create", "externalwork"), ("change", "externalwork")]
    assert operator(tenant, role=Role.VIEWER).post(edit, ended).status_code == 403
    assert edit not in client.get(page_of(work)).content.decode()


def test_the_form_of_a_bulk_call_opens(operator: Callable[..., Client], tenant: Tenant):
    publish(tenant, GRACE)

    assert "Look first" in operator(tenant).get(reverse(BULK)).content.decode()
