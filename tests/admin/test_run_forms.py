"""The forms on the page of a run: its times and its notes, through the services that REST uses."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

from django.test import Client

from signals_app.services.payloads import load_payloads
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished
from tests.control.runs import order
from tests.control.test_approvals import asked, wait_of
from tests.journeys import drain, paid, reasons_of, run_of, told_of, waiting_run
from workflows.models import Run
from workflows.services.control import pause_runs

SOON = (datetime.now(UTC) + timedelta(days=3)).replace(microsecond=0)


def address(run: Run, name: str) -> str:
    return page_of(run).replace("/change/", f"/{name}/")


def offered(client: Client, url: str) -> dict[str, Any]:
    """The form as it is shown, filled in."""
    page = client.get(url).content.decode()
    fields = re.findall(r'<input[^>]*name="(\w+)"(?:[^>]*?value="([^"]*)")?', page)
    return {name: unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


def test_an_operator_changes_what_is_not_as_it_was_shown(operator: Callable[..., Client], tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    order(tenant, run_id, pause_runs)
    before = run_of(tenant, run_id)
    client, url = operator(tenant, role=Role.OPERATOR), address(before, "times")
    form = offered(client, url)

    page = client.post(url, form | {"suspended_until": f"{SOON:%Y-%m-%d %H:%M:%S}", "reason": "Monday"}, follow=True)

    run = run_of(tenant, run_id)
    assert "Change times: done." in page.content.decode()
    assert (run.suspended_until, run.deadline_at, run.state) == (SOON, before.deadline_at, "paused")
    with tenant_scope(tenant.pk):
        act = OperatorAction.objects.get()
    assert (act.action, act.reason, act.username) == ("times", "Monday", client.username)  # type: ignore[attr-defined]
    assert told_of(tenant, run_id, "times_changed")[0]["why"] == "Monday"


def test_an_older_page_and_bad_times_change_nothing(operator: Callable[..., Client], tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    client, url = operator(tenant, role=Role.OPERATOR), address(run_of(tenant, run_id), "times")
    form = offered(client, url) | {"reason": "a test"}
    assert "suspended_until" not in form

    for said, why in (
        ({"deadline_at": "2020-01-01 00:00:00"}, "/deadline_at"),
        ({"deadline_at": "soon"}, "Enter a valid date"),
        ({}, "Give one of"),
        ({"deadline_at": "", "revision": "1"}, "stands at revision"),
        ({"deadline_at": "", "reason": " "}, "required"),
    ):
        assert why in client.post(url, form | said).content.decode()

    run = run_of(tenant, run_id)
    assert (reasons_of(tenant, run_id)[-1], run.revision) == ("wait_opened", int(form["revision"]))
    client.post(url, form | {"deadline_at": ""})
    assert run_of(tenant, run_id).deadline_at is None


def test_a_note_is_added_after_the_line_that_was_seen(operator: Callable[..., Client], tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    client, url = operator(tenant, role=Role.OPERATOR), address(run_of(tenant, run_id), "note")
    form = offered(client, url) | {"note": "customer called"}

    first = client.post(url, form, follow=True).content.decode()
    again = client.post(url, form).content.decode()
    early = client.post(url, offered(client, url) | {"note": "x", "occurred_at": "2020-01-01 00:00"}).content.decode()

    assert "customer called" in first
    assert "The trace has come to" in again
    assert "not before the line before" in early
    assert told_of(tenant, run_id, "note_added") == [{"note": "customer called"}]
    paid(tenant)
    drain(tenant)
    assert "The run has ended" in unescape(client.post(url, offered(client, url) | {"note": "late"}).content.decode())
    assert f'href="{url}"' not in client.get(page_of(run_of(tenant, run_id))).content.decode()


def test_the_forms_are_for_operators_of_the_tenant(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
) -> None:
    viewer, stranger = operator(mine.tenant, role=Role.VIEWER), operator(mine.tenant)

    for name, said in (("times", {"deadline_at": "", "reason": "x"}), ("note", {"note": "x"})):
        said |= {"revision": str(mine.run.revision)}
        assert viewer.post(address(mine.run, name), said).status_code == 403
        assert stranger.post(address(theirs.run, name), said).status_code == 404
        assert address(mine.run, name) not in viewer.get(page_of(mine.run)).content.decode()
        assert address(mine.run, name) in stranger.get(page_of(mine.run)).content.decode()
    for owned in (mine, theirs):
        assert run_of(owned.tenant, owned.run.pk).revision == owned.run.revision


def test_a_pause_until_a_time_is_for_the_revision_that_was_shown(
    operator: Callable[..., Client], tenant: Tenant
) -> None:
    run_id = waiting_run(tenant)
    client, url = operator(tenant, role=Role.OPERATOR), address(run_of(tenant, run_id), "pause_until")
    form = offered(client, url) | {"until": f"{SOON:%Y-%m-%d %H:%M:%S}", "reason": "Monday"}

    for said, why in (({"until": "2020-01-01 00:00:00"}, "/until"), ({"revision": "1"}, "stands at revision")):
        assert why in client.post(url, form | said).content.decode()
        assert run_of(tenant, run_id).state == "waiting"
    assert "Pause until: done." in client.post(url, form, follow=True).content.decode()

    run = run_of(tenant, run_id)
    assert (run.state, run.suspended_until) == ("paused", SOON)
    with tenant_scope(tenant.pk):
        act = OperatorAction.objects.get()
    assert (act.action, act.reason, act.changes["state"]) == ("pause_until", "Monday", ["waiting", "paused"])
    again = client.post(url, offered(client, url) | {"until": form["until"], "reason": "again"}).content.decode()
    assert "paused already" in again


def test_a_decision_takes_metadata_and_is_for_the_revision_that_was_shown(
    operator: Callable[..., Client], tenant: Tenant
) -> None:
    document = {"key": "refund", "steps": [{"key": "sign_off", "kind": "approval", "on_reject": {"stop": "refused"}}]}
    run_id = asked(tenant, document, correlation={})
    client, url = operator(tenant, role=Role.OPERATOR), address(run_of(tenant, run_id), "reject")
    form = offered(client, url) | {"reason": "too much", "metadata": '{"ticket": 4711}'}

    for said, why in (({"metadata": "{"}, "The body is not JSON"), ({"revision": "1"}, "stands at revision")):
        assert why in unescape(client.post(url, form | said).content.decode())
        assert run_of(tenant, run_id).state == "waiting"
    assert "Reject with metadata: done." in client.post(url, form, follow=True).content.decode()

    assert run_of(tenant, run_id).terminal_reason == "refused"
    wait = wait_of(tenant, run_id)
    with tenant_scope(tenant.pk):
        said = load_payloads(tenant.pk, [bytes(wait.decision_sha or b"")])
    assert list(said.values()) == [{"comment": "too much", "metadata": {"ticket": 4711}}]
    assert wait.decided_by == client.username  # type: ignore[attr-defined]
