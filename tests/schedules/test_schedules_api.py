"""Schedules in REST, on the command line and in the admin."""

from collections.abc import Callable
from datetime import datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from tenants.admin.paging import page_of
from tenants.models import Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.journeys import GRACE, publish
from tests.schedules.calendar import schedule_of, scheduled
from workflows.models import Schedule
from workflows.services.definitions import retire_definition

__all__ = ["operator"]

DAILY = {"key": "daily", "workflow": "dunning", "expression": "0 9 * * *", "subjects": ["ada"]}


def make(rest: APIClient, tenant: Tenant, **given: Any) -> Any:
    publish(tenant, GRACE)
    return rest.post("/v1/schedules", DAILY | given, format="json")


def test_a_schedule_is_made_and_shown_with_what_comes(tenant: Tenant, rest: APIClient) -> None:
    made = make(rest, tenant, zone="Europe/Berlin", data={"kind": "weekly"})

    assert made.status_code == 201
    shown = rest.get("/v1/schedules/daily").json()
    assert (shown["data"], shown["zone"], shown["missed"], shown["enabled"]) == (
        {"kind": "weekly"},
        "Europe/Berlin",
        "latest",
        True,
    )
    assert shown["upcoming"][0] == shown["next_at"]
    assert len(shown["upcoming"]) == 5
    listed = rest.get("/v1/schedules").json()["items"]
    assert [one["key"] for one in listed] == ["daily"]
    assert "data" not in listed[0]


def test_the_zone_is_the_tenants_own_when_it_is_left_out(tenant: Tenant, rest: APIClient) -> None:
    assert make(rest, tenant).json()["zone"] == tenant.time_zone


def test_every_fault_is_told_and_nothing_is_stored(tenant: Tenant, rest: APIClient) -> None:
    answer = make(rest, tenant, key="Preview!", expression="0 25 * * *", zone="Mars", subjects=[])

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert {one["path"] for one in answer.json()["detail"]} == {"/key", "/expression", "/zone", "/subjects"}
    everything = make(rest, tenant, workflow="nothing", expression="0 25 * * *", zone="Mars", subjects=[])
    assert {one["path"]: one["code"] for one in everything.json()["detail"]}.items() >= {
        ("/workflow", "definition_not_found"),
        ("/subjects", "bad_length"),
    }
    assert len(everything.json()["detail"]) == 4
    of_runs = make(rest, tenant, expression="0 25 * * *", correlation={"order": "1"})
    assert {one["path"] for one in of_runs.json()["detail"]} == {"/expression", "/correlation/order"}
    assert rest.get("/v1/schedules").json()["items"] == []


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"subjects": ["ada", ""]}, "/subjects/1"),
        ({"correlation": {"order": "1"}}, "/correlation/order"),
        ({"most_missed": 0}, "/most_missed"),
        ({"missed": "some"}, "/missed"),
        ({"key": "preview"}, "/key"),
        ({"cron": "0 9 * * *"}, "/cron"),
    ],
)
def test_what_could_start_no_run_is_refused(tenant: Tenant, rest: APIClient, given: dict[str, Any], path: str) -> None:
    answer = make(rest, tenant, **given)

    assert (answer.status_code, [one["path"] for one in answer.json()["detail"]]) == (400, [path])


def test_a_key_is_taken_once_and_a_workflow_must_exist(tenant: Tenant, rest: APIClient) -> None:
    make(rest, tenant)

    answers = [make(rest, tenant), make(rest, tenant, key="other", workflow="nothing")]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (409, "schedule_exists"),
        (404, "definition_not_found"),
    ]


def test_a_change_leaves_alone_what_it_does_not_name(tenant: Tenant, rest: APIClient) -> None:
    before = make(rest, tenant, data={"kind": "weekly"}, missed="all", most_missed=3).json()

    after = rest.patch("/v1/schedules/daily", {"expression": "30 10 * * *"}, format="json").json()

    changed = {"expression", "next_at", "upcoming", "updated_at"}
    assert {name: before[name] for name in before.keys() - changed} == {
        name: after[name] for name in after.keys() - changed
    }
    assert datetime.fromisoformat(after["next_at"]).minute == 30


def test_it_is_switched_off_though_its_workflow_is_gone(tenant: Tenant, rest: APIClient) -> None:
    make(rest, tenant)
    retire_definition(tenant_id=tenant.pk, key="dunning", version=1)

    off = rest.patch("/v1/schedules/daily", {"enabled": False}, format="json")
    on = rest.patch("/v1/schedules/daily", {"enabled": True}, format="json")

    assert (off.status_code, off.json()["next_at"], off.json()["upcoming"]) == (200, None, [])
    assert (on.status_code, on.json()["code"]) == (404, "definition_not_found")
    assert schedule_of(tenant).enabled is False


def test_it_is_forgotten(tenant: Tenant, rest: APIClient) -> None:
    make(rest, tenant)

    assert [rest.delete("/v1/schedules/daily").status_code for _ in range(2)] == [204, 404]


def test_another_tenants_schedule_is_not_there(tenant: Tenant, other_tenant: Tenant, rest: APIClient) -> None:
    scheduled(other_tenant)

    answers = [
        rest.get("/v1/schedules/daily"),
        rest.patch("/v1/schedules/daily", {"enabled": False}, format="json"),
        rest.delete("/v1/schedules/daily"),
    ]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [(404, "schedule_not_found")] * 3
    assert schedule_of(other_tenant).enabled


def test_a_preview_stores_nothing(tenant: Tenant, rest: APIClient) -> None:
    shown = rest.post("/v1/schedules/preview", {"expression": "0 9 * * 1", "zone": "Europe/Berlin"}, format="json")
    wrong = rest.post("/v1/schedules/preview", {"expression": "x"}, format="json")

    assert [datetime.fromisoformat(one).weekday() for one in shown.json()["upcoming"]] == [0] * 5
    assert (wrong.status_code, wrong.json()["detail"][0]["path"]) == (400, "/expression")


def test_a_key_that_only_reads_changes_nothing(tenant: Tenant, client_of: Callable[..., APIClient]) -> None:
    scheduled(tenant)
    reader = client_of(tenant, ["runs:read"])

    assert reader.get("/v1/schedules/daily").status_code == 200
    assert reader.delete("/v1/schedules/daily").status_code == 403


def test_the_command_line(tenant: Tenant) -> None:
    publish(tenant, GRACE)

    def say(*arguments: str) -> str:
        written = StringIO()
        call_command("schedules", *arguments, "--tenant", tenant.slug, stdout=written)
        return written.getvalue()

    assert say("create", "daily", "dunning", "0 9 * * *", "ada", "grace", "--correlation", "invoice_id=7")
    assert "daily  dunning  0 9 * * * (UTC)  next at " in say("list")
    assert len(say("preview", "daily").splitlines()) == 5
    changed = say("change", "daily", "--expression", "30 8 * * *", "--zone", "Europe/Berlin")
    assert "30 8 * * * (Europe/Berlin)" in changed
    with pytest.raises(CommandError, match="/expression"):
        say("change", "daily", "--expression", "soon")
    with pytest.raises(CommandError, match="not a JSON object"):
        say("change", "daily", "--data", "[1]")
    kept = schedule_of(tenant)
    assert (kept.expression, kept.subjects) == ("30 8 * * *", ["ada", "grace"])  # what is not named stays
    assert "off" in say("disable", "daily")
    assert "next at" in say("enable", "daily")
    with pytest.raises(CommandError, match="already"):
        say("create", "daily", "dunning", "0 9 * * *", "ada")
    say("delete", "daily")
    with pytest.raises(CommandError, match="No such schedule"):
        say("delete", "daily")


def test_an_admin_makes_changes_and_switches_a_schedule(tenant: Tenant, operator: Callable[..., Client]) -> None:
    publish(tenant, GRACE)
    client = operator(tenant)
    said = {
        "tenant": tenant.pk,
        "key": "daily",
        "workflow": "dunning",
        "expression": "0 9 * * *",
        "zone": "Europe/Berlin",
        "subjects": "ada\r\ngrace\r\n",
        "correlation": "{}",
        "data": '{"kind": "weekly"}',
        "missed": "latest",
        "most_missed": "10",
        "enabled": "on",
    }

    wrong = client.post(reverse("admin:workflows_schedule_add"), said | {"expression": "x"}).content.decode()
    client.post(reverse("admin:workflows_schedule_add"), said)

    assert "Five fields" in wrong
    made = schedule_of(tenant)
    assert (made.subjects, made.zone) == (["ada", "grace"], "Europe/Berlin")
    page = client.get(page_of(made)).content.decode()
    assert "0 9 * * *" in page
    assert "weekly" not in page
    edit = page_of(made).replace("change/", "edit/")
    assert "weekly" in client.get(edit).content.decode()
    client.post(edit, said | {"expression": "0 10 * * *"})
    assert schedule_of(tenant).expression == "0 10 * * *"
    ask = {"action": "disable", "_selected_action": made.pk, "confirmed": "1", "reason": "holidays"}
    client.post(reverse("admin:workflows_schedule_changelist"), ask)
    assert schedule_of(tenant).enabled is False
    client.post(reverse("admin:workflows_schedule_changelist"), ask | {"action": "delete"})
    with tenant_scope(tenant.pk):
        assert not Schedule.objects.exists()


def test_an_operator_may_look_and_no_more(tenant: Tenant, operator: Callable[..., Client]) -> None:
    client, made = operator(tenant, role=Role.OPERATOR), scheduled(tenant)
    ask = {"action": "delete", "_selected_action": made.pk, "confirmed": "1", "reason": "no"}

    assert client.get(page_of(made)).status_code == 200
    assert client.get(reverse("admin:workflows_schedule_add")).status_code == 403
    client.post(reverse("admin:workflows_schedule_changelist"), ask)
    assert schedule_of(tenant).key == "daily"
