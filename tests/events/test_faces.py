"""Events on the command line, in the admin and in the metrics."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from chimeway_py.embedded.postgres import Postgres
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.events.listening import Subscriber, events_of
from tests.journeys import GRACE, publish, rows_of, start, waiting_run
from workflows.events.turn import events_turn
from workflows.models import EventDispatch, EventSubscription

__all__ = ["operator"]

LIST = "admin:workflows_eventsubscription_changelist"


@pytest.fixture
def say(tenant: Tenant) -> Callable[..., str]:
    """Runs `manage.py events …` and returns what it printed."""

    def run(*arguments: str) -> str:
        written = StringIO()
        call_command("events", *arguments, "--tenant", tenant.slug, stdout=written)
        return written.getvalue()

    return run


def test_the_command_line(tenant: Tenant, say: Callable[..., str], subscribe: Callable[..., Subscriber]) -> None:
    crm = subscribe(types=["run.created"])
    assert "whsec_" in say("subscribe", "other", "https://example.com/", "--type", "run.failed")
    assert "whsec_" not in say("subscribe", "other", "https://example.com/", "--type", "run.expired")
    assert "other  https://example.com/  run.expired  on" in say("subscriptions")
    assert "off (asked)" in say("disable", "crm")
    waiting_run(tenant)
    assert "  on" in say("enable", "crm")
    (event,) = events_of(tenant)

    assert "Events that would be sent: 1" in say("replay", "crm", "--from", "2026-01-01T00:00:00+00:00", "--dry-run")
    assert "Events sent: 1" in say("replay", "crm", "--from", "2026-01-01T00:00:00+00:00")
    crm.answer(500)
    events_turn(tenant_id=tenant.pk)
    shown = say("show", str(event.public_id))
    assert "crm: owed, next try" in shown
    assert "http 500" in shown
    assert str(event.public_id) in say("list", "--type", "run.created")
    assert say("list", "--type", "run.failed") == ""
    assert "is owed to crm" in say("resend", str(event.public_id), "crm")
    assert "whsec_" in say("rotate", "crm", "--overlap-hours", "1")
    assert len(say("ping", "crm").strip()) == 36
    assert "forgotten" in say("unsubscribe", "crm")
    with pytest.raises(CommandError, match="No such event subscription"):
        say("ping", "crm")
    with pytest.raises(CommandError, match="/url"):
        say("subscribe", "inside", "https://127.0.0.2/")


def test_an_admin_subscribes_and_sees_the_secret_once(tenant: Tenant, operator: Callable[..., Client]) -> None:
    client = operator(tenant)
    said = {"tenant": tenant.pk, "key": "crm", "url": "http://example.com/", "types": ["run.failed"], "enabled": "on"}

    wrong = client.post(reverse("admin:workflows_eventsubscription_add"), said).content.decode()
    assert "https addresses only" in wrong
    assert rows_of(tenant, [EventSubscription]) == [0]
    made = client.post(
        reverse("admin:workflows_eventsubscription_add"), said | {"url": "https://example.com/"}
    ).content.decode()
    assert "whsec_" in made
    with tenant_scope(tenant.pk):
        row = EventSubscription.objects.get()
    page = client.get(page_of(row)).content.decode()
    assert "https://example.com/" in page
    assert "whsec_" not in page
    client.post(page_of(row).replace("change/", "edit/"), said | {"url": "https://example.com/new", "types": []})
    with tenant_scope(tenant.pk):
        row = EventSubscription.objects.get()
    assert (row.url, row.types) == ("https://example.com/new", [])


def test_an_operator_may_look_and_an_admin_acts(
    tenant: Tenant, operator: Callable[..., Client], subscribe: Callable[..., Subscriber]
) -> None:
    crm = subscribe(types=["run.created"], status=410)
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    publish(tenant, GRACE)
    start(tenant, "dunning", correlation={"invoice_id": "7"})
    looker, client = operator(tenant, role=Role.OPERATOR), operator(tenant)
    ask: dict[str, Any] = {"_selected_action": crm.row.pk, "confirmed": "1", "reason": "moved"}

    looker.post(reverse(LIST), ask | {"action": "enable"})
    assert crm.row.enabled is False
    home = client.get(reverse("admin:index")).content.decode()
    assert "Disabled subscriptions" in home
    assert "crm" in client.get(f"{reverse(LIST)}?health=disabled").content.decode()
    assert "the receiver answered 410" in client.get(page_of(crm.row)).content.decode()
    crm.answer(204)
    client.post(reverse(LIST), ask | {"action": "enable"})
    forecast = client.post(reverse(LIST), {"action": "replay", "_selected_action": crm.row.pk}).content.decode()
    assert "1 of the events of the last 30 days" in forecast
    client.post(reverse(LIST), ask | {"action": "replay"})
    client.post(reverse(LIST), ask | {"action": "ping"})
    crm.make_due()
    events_turn(tenant_id=tenant.pk)
    assert sorted(crm.types) == ["ping", "run.created", "run.created", "run.created"]

    first = events_of(tenant)[0]
    page = client.get(page_of(first)).content.decode()
    assert "http 410" in page
    events = reverse("admin:workflows_event_changelist")
    assert str(first.public_id)[:8] in client.get(f"{events}?q={first.run_public_id}").content.decode()
    assert client.get(f"{events}?standing=owed").status_code == 200
    client.post(events, {"action": "resend", "_selected_action": first.pk, "confirmed": "1", "reason": "lost"})
    assert events_turn(tenant_id=tenant.pk) == 1
    client.post(reverse(LIST), ask | {"action": "delete"})
    assert rows_of(tenant, [EventSubscription]) == [0]


def test_the_metrics_count_what_is_due_and_who_fails(
    tenant: Tenant, client: Client, postgres: Postgres, subscribe: Callable[..., Subscriber]
) -> None:
    with postgres.connect() as superuser:  # what other tests left must not become due meanwhile
        superuser.execute("UPDATE workflows_eventdispatch SET due_at = NULL WHERE due_at IS NOT NULL")

    def numbers() -> dict[str, float]:
        lines = client.get("/metrics").content.decode().splitlines()
        return {name: float(value) for name, value in (one.rsplit(" ", 1) for one in lines if one.startswith("chime"))}

    failing = 'chimeway_event_subscriptions{state="failing"}'
    disabled = 'chimeway_event_subscriptions{state="disabled"}'
    before = numbers()
    subscribe("bad", types=["run.created"], status=500)
    subscribe("gone", types=["run.created"], status=410)
    idle = subscribe("idle", types=["run.created"])
    waiting_run(tenant)
    idle.change(enabled=False)
    events_turn(tenant_id=tenant.pk)
    idle.change(enabled=True)
    with tenant_scope(tenant.pk) as scope:
        EventDispatch.objects.filter(subscription__key="idle").update(due_at=scope.now - timedelta(minutes=1))

    after = numbers()
    assert after[failing] - before.get(failing, 0) == 1
    assert after[disabled] - before.get(disabled, 0) == 1
    assert after["chimeway_events_due"] - before["chimeway_events_due"] == 1


def test_an_admin_looks_at_a_range_and_sends_it_again(
    tenant: Tenant,
    new_tenant: Callable[[], Tenant],
    subscribe: Callable[..., Subscriber],
    operator: Callable[..., Client],
) -> None:
    crm = subscribe(types=["run.created"])
    waiting_run(tenant)
    events_turn(tenant_id=tenant.pk)
    client = operator(tenant)
    with tenant_scope(tenant.pk):
        row = EventSubscription.objects.get(tenant_id=tenant.pk)
    url = page_of(row).replace("/change/", "/replay/")
    assert url in client.get(page_of(row)).content.decode()

    def owed() -> list[str]:
        with tenant_scope(tenant.pk):
            return list(EventDispatch.objects.filter(tenant_id=tenant.pk).values_list("status", flat=True))

    assert "Say from when" in client.post(url, {}).content.decode()
    assert "0 events would be sent" in client.post(url, {"since": "2026-01-01"}).content.decode()
    looked = client.post(url, {"since": "2026-01-01", "include_delivered": "on"}).content.decode()
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', looked))
    assert ("1 events would be sent" in looked, owed(), len(crm.requests)) == (True, ["delivered"], 1)
    assert "Say why" in client.post(url, form | {"reason": ""}).content.decode()
    assert owed() == ["delivered"]
    assert "1 events are sent again" in client.post(url, form | {"reason": "lost by them"}).content.decode()

    assert owed() == ["owed"]
    events_turn(tenant_id=tenant.pk)
    assert len(crm.requests) == 2
    with tenant_scope(tenant.pk):
        act = OperatorAction.objects.get()
    assert (act.action, act.reason, act.changes["events"]) == ("replay", "lost by them", [0, 1])
    assert operator(tenant, role=Role.OPERATOR).get(url).status_code == 403
    assert operator(new_tenant()).get(url).status_code == 404
