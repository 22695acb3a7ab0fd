"""Actions ask for a reason, say what will happen, report what moved and what did not, and are written down."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from deliveries.models import Delivery
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished, furnish, membership_of
from tests.journeys import told_of
from workflows.models import Run, Transition
from workflows.services.control import cancel_runs
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause

RUNS = reverse("admin:workflows_run_changelist")


def ask(client: Client, url: str, action: str, *rows: Any, reason: str | None = None) -> Any:
    posted: dict[str, Any] = {"action": action, "_selected_action": [row.pk for row in rows]}
    if reason is not None:
        posted |= {"confirmed": "1", "reason": reason}
    return client.post(url, posted)


def said(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def acts(furnished: Furnished) -> list[tuple[str, str, str, bool, str]]:
    with tenant_scope(furnished.tenant.pk):
        rows = OperatorAction.objects.exclude(action="create").order_by("id")
        return list(rows.values_list("action", "object_ref", "reason", "moved", "refusal"))


def fresh(run: Run) -> Run:
    with tenant_scope(run.tenant_id):
        return Run.objects.get(id=run.pk)


def test_the_first_post_asks_and_changes_nothing(operator: Callable[..., Client], mine: Furnished):
    page = ask(operator(mine.tenant), RUNS, "cancel", mine.run).content.decode()

    assert "It ends at grace as cancelled." in page
    assert 'name="reason"' in page
    assert fresh(mine.run).state == "waiting"
    assert acts(mine) == []


def test_the_page_that_asks_can_be_answered(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    page = ask(client, RUNS, "cancel", mine.run).content.decode()
    form = page[page.index('class="cw-form"') :]
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form))

    assert ">Cancel</button>" in form
    response = client.post(RUNS, {**fields, "reason": "asked by phone"})

    assert "1 moved, 0 refused" in said(response)


def test_without_a_reason_nothing_happens(operator: Callable[..., Client], mine: Furnished):
    page = ask(operator(mine.tenant), RUNS, "cancel", mine.run, reason="   ").content.decode()

    assert "Say why" in page
    assert fresh(mine.run).state == "waiting"
    assert acts(mine) == []


def test_a_reason_longer_than_a_trace_keeps_is_refused(operator: Callable[..., Client], mine: Furnished):
    page = ask(operator(mine.tenant), RUNS, "cancel", mine.run, reason="x" * 65).content.decode()

    assert "Say why, in 1 to 64 characters." in page
    assert 'maxlength="64"' in page
    assert fresh(mine.run).state == "waiting"


def test_cancel_moves_what_it_can_and_reports_the_rest(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    start_runs(tenant_id=mine.tenant.pk, definition_key=mine.definition.key, runs=[NewRun(subject="bo")])
    with tenant_scope(mine.tenant.pk):
        other = Run.objects.get(subject="bo")
    cancel_runs(tenant_id=mine.tenant.pk, public_ids=[other.public_id], cause=Cause.API, cause_ref="", reason="before")

    response = ask(client, RUNS, "cancel", mine.run, other, reason="asked by phone")

    assert "1 moved, 1 refused" in said(response)
    assert f"{other.public_id}: The run has ended: it is cancelled." in said(response)
    assert fresh(mine.run).state == "cancelled"
    assert acts(mine) == [
        ("cancel", str(mine.run.public_id), "asked by phone", True, ""),
        ("cancel", str(other.public_id), "asked by phone", False, "The run has ended: it is cancelled."),
    ]


def test_the_trace_names_the_operator_and_the_reason(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    ask(client, RUNS, "cancel", mine.run, reason="asked by phone")

    with tenant_scope(mine.tenant.pk):
        last = Transition.objects.filter(run=mine.run).latest("seq")
    assert (last.cause, last.cause_ref) == ("operator", client.username)  # type: ignore[attr-defined]
    assert told_of(mine.tenant, mine.run.pk)[-1]["terminal_reason"] == "asked by phone"


def test_wake_ends_the_wait(operator: Callable[..., Client], mine: Furnished):
    response = ask(operator(mine.tenant), RUNS, "wake", mine.run, reason="no need to wait")

    assert "1 moved, 0 refused" in said(response)
    assert fresh(mine.run).state == "completed"


def test_pause_holds_and_resume_lets_go(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)

    ask(client, RUNS, "pause", mine.run, reason="let us look")
    assert fresh(mine.run).state == "paused"
    page = client.get(page_of(mine.run)).content.decode()
    assert 'value="resume"' in page
    assert 'value="pause"' not in page
    ask(client, RUNS, "resume", mine.run, reason="all good")

    assert fresh(mine.run).state == "waiting"


def test_resend_makes_a_new_delivery(operator: Callable[..., Client], mine: Furnished):
    url = reverse("admin:deliveries_delivery_changelist")

    response = ask(operator(mine.tenant), url, "resend", mine.delivery, reason="they lost it")

    assert "1 moved, 0 refused" in said(response)
    with tenant_scope(mine.tenant.pk):
        assert Delivery.objects.get(resend_of=mine.delivery).resend_reason == "they lost it"


def test_an_action_asked_for_on_a_page_leads_back_to_it(operator: Callable[..., Client], mine: Furnished):
    posted = {"action": "cancel", "_selected_action": mine.run.pk, "confirmed": "1", "reason": "x", "from_page": "1"}

    response = operator(mine.tenant).post(RUNS, posted)

    assert response.headers["Location"] == page_of(mine.run)


def test_a_viewer_is_not_offered_actions_and_cannot_force_them(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant, role=Role.VIEWER)

    assert 'value="cancel"' not in client.get(RUNS).content.decode()
    assert 'value="cancel"' not in client.get(page_of(mine.run)).content.decode()
    ask(client, RUNS, "cancel", mine.run, reason="I insist")
    assert fresh(mine.run).state == "waiting"


def test_a_role_counts_in_its_own_tenant_only(operator: Callable[..., Client], mine: Furnished):
    """Operator of one tenant, viewer of another: an action on runs of both moves only those of the first."""
    looked_at = furnish("second")
    client = operator(mine.tenant, role=Role.OPERATOR)
    from tenants.services import set_role

    set_role(tenant_id=looked_at.tenant.pk, user_id=membership_of(client).user_id, role=Role.VIEWER)

    response = ask(client, RUNS, "cancel", mine.run, looked_at.run, reason="clean up")

    assert "1 moved, 1 refused" in said(response)
    assert "role" in said(response)
    assert (fresh(mine.run).state, fresh(looked_at.run).state) == ("cancelled", "waiting")
    assert acts(looked_at)[0][3] is False


def test_the_record_cannot_be_changed(operator: Callable[..., Client], mine: Furnished):
    import pytest
    from django.db import ProgrammingError

    ask(operator(mine.tenant), RUNS, "cancel", mine.run, reason="asked")

    with pytest.raises(ProgrammingError, match="permission denied"), tenant_scope(mine.tenant.pk):
        OperatorAction.objects.update(reason="something nicer")


def test_what_was_done_is_shown_with_the_object(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    ask(client, RUNS, "cancel", mine.run, reason="asked by phone")

    page = client.get(page_of(mine.run).replace("change/", "history/")).content.decode()

    assert "asked by phone" in page
    assert client.username in page  # type: ignore[attr-defined]


def test_a_post_without_a_token_is_refused(operator: Callable[..., Client], mine: Furnished):
    signed_in = operator(mine.tenant)
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = signed_in.cookies

    response = ask(strict, RUNS, "cancel", mine.run, reason="x")

    assert response.status_code == 403
    assert fresh(mine.run).state == "waiting"


def test_an_action_that_meets_nothing_is_no_success(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
):
    response = ask(operator(mine.tenant), RUNS, "cancel", theirs.run, reason="a test")

    found = list(get_messages(response.wsgi_request))
    assert [(message.level_tag, str(message)) for message in found] == [("warning", "Cancel: 0 moved, 0 refused.")]
    assert fresh(theirs.run).state == "waiting"
