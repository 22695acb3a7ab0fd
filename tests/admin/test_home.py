"""The home page shows what is wrong first, and nothing else is red."""

import re
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.test import Client
from django.urls import reverse

from deliveries.models import Broadcast, Delivery
from signals_app.models import Signal
from tenants.admin import words
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished
from workflows.models import Run

HOME = reverse("admin:index")
NUMBER = re.compile(
    r'cw-(wrong|right)">\s*<a href="([^"]+)">\s*'
    r'<span class="cw-number">([^<]+)</span>\s*<span class="cw-label">([^<]+)<'
)


def numbers(client: Client) -> dict[str, tuple[str, str, str]]:
    """Label -> (colour, number, link)."""
    page = client.get(HOME).content.decode()
    return {label: (colour, number, link.replace("&amp;", "&")) for colour, link, number, label in NUMBER.findall(page)}


def late(furnished: Furnished, statement: str) -> None:
    with tenant_scope(furnished.tenant.pk), connection.cursor() as cursor:
        cursor.execute(statement, [furnished.tenant.pk])


def test_zero_is_green(operator: Callable[..., Client], mine: Furnished):
    found = numbers(operator(mine.tenant))

    assert set(found) == {
        "Unrouted signals",
        "Overdue timers",
        "Overdue runs",
        "Overdue digests",
        "Late heads",
        "Expired leases",
        "Quarantined",
        "Unknown outcomes",
        "Engine failures",
        "Broadcasts in trouble",
        "Owed deliveries",
        "Disabled endpoints",
        "Disabled subscriptions",
        "Providers that are not well",
    }
    assert {colour for colour, _, _ in found.values()} == {"right"}
    assert "All is well" in operator(mine.tenant).get(HOME).content.decode()


def test_each_number_links_to_its_rows(operator: Callable[..., Client], mine: Furnished):
    client = operator(mine.tenant)
    with tenant_scope(mine.tenant.pk):
        Run.objects.update(due_at="2026-01-01T00:00:00Z", engine_failures=3)
        Signal.objects.update(routed_at=None, received_at="2026-01-01T00:00:00Z")
        Delivery.objects.update(status="planned", planned_at="2026-01-01T00:00:00Z")

    found = numbers(client)

    shown = {
        "Overdue timers": mine.run,
        "Engine failures": mine.run,
        "Unrouted signals": mine.signal,
        "Owed deliveries": mine.delivery,
    }
    for label, row in shown.items():
        colour, number, link = found[label]
        assert (colour, number) == ("wrong", "1"), label
        assert str(row.public_id) in client.get(link).content.decode(), label
    assert found["Overdue runs"][1] == "0"
    assert "4 things need attention" in client.get(HOME).content.decode()


def test_the_trouble_of_other_tenants_is_not_shown(operator: Callable[..., Client], mine: Furnished, theirs: Furnished):
    late(theirs, "UPDATE workflows_run SET due_at = '2026-01-01' WHERE tenant_id = %s")

    assert numbers(operator(mine.tenant))["Overdue timers"][1] == "0"
    both = operator(mine.tenant, theirs.tenant)
    assert numbers(both)["Overdue timers"][1] == "1"
    page = both.get(HOME).content.decode()
    assert theirs.tenant.slug in page
    assert mine.tenant.slug not in page  # only tenants with trouble are listed


def test_the_bare_address_leads_to_the_admin(client: Client) -> None:
    answer = client.get("/")

    assert (answer.status_code, answer["Location"]) == (302, "/admin/")


def test_broadcasts_in_progress_are_shown_and_those_in_trouble_are_counted(
    operator: Callable[..., Client], mine: Furnished, theirs: Furnished
) -> None:
    client = operator(mine.tenant)
    for furnished in (mine, theirs):
        with tenant_scope(furnished.tenant.pk):
            Broadcast.objects.update(status="running", due_at=words.now(), total=40, cursor=10, started=10)

    page = client.get(HOME).content.decode()
    assert "Broadcasts in progress" in page
    assert '<progress max="40" value="10"' in page
    assert numbers(client)["Broadcasts in trouble"][1] == "0"
    assert theirs.tenant.slug not in page

    now = words.now()
    for trouble in (
        {"note": "broken"},
        {"note": "definition_off"},
        {"note": "", "due_at": now - timedelta(minutes=2)},
        {"status": "failed", "due_at": None, "finished_at": now - timedelta(hours=1)},
    ):
        with tenant_scope(mine.tenant.pk):
            Broadcast.objects.update(**trouble)
        colour, number, link = numbers(client)["Broadcasts in trouble"]
        assert (colour, number) == ("wrong", "1"), trouble
        assert "1 broadcast" in client.get(link).content.decode(), trouble

    with tenant_scope(mine.tenant.pk):
        Broadcast.objects.update(finished_at=now - timedelta(days=2))
    assert numbers(client)["Broadcasts in trouble"][1] == "0"
    assert "Broadcasts in progress" not in client.get(HOME).content.decode()
