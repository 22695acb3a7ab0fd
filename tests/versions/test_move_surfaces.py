"""Moving runs in REST, on the command line and at the admin."""

import re
from collections.abc import Callable
from html import unescape
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import Furnished, journey, mine, operator
from tests.admin.test_actions import ask, said
from tests.journeys import GRACE, publish, rows_of, run_of, waiting_run
from tests.versions.test_moves import REFUND, grace, version_of
from tests.versions.test_switch_surfaces import DEFINITIONS
from workflows.models import Definition
from workflows.services.definitions import ensure_definition

__all__ = ["mine", "operator"]
URL = "/v1/definitions/dunning/migrate"
LOOK = {"from_version": 1, "to_version": 2, "dry_run": True}


def two_versions(tenant: Tenant, runs: int = 1) -> list[int]:
    """Runs that wait on the first of two versions."""
    found = [waiting_run(tenant, correlation={"invoice_id": str(number)}) for number in range(runs)]
    publish(tenant, grace(signals=[REFUND]))
    return found


def test_look_then_carry_out(rest: APIClient, tenant: Tenant) -> None:
    runs = two_versions(tenant, 3)

    look = rest.post(URL, LOOK).json()
    first = rest.post(URL, {"plan": look["plan"], "limit": 2, "reason": "better words"}).json()
    second = rest.post(URL, {"plan": first["plan"]}).json()

    assert (look["moves"], look["stays"], look["remaining"], look["runs"]) == (3, 0, 3, [])
    [group] = look["groups"]
    assert {"state": "waiting", "step": "grace", "outcome": "opened_anew", "runs": 3}.items() <= group.items()
    assert (first["moves"], first["remaining"], len(first["runs"])) == (2, 1, 2)
    assert {"verdict": "moved", "outcome": "opened_anew", "state": "waiting"}.items() <= first["runs"][0].items()
    assert (second["moves"], second["plan"]) == (1, None)
    assert [version_of(tenant, run_id) for run_id in runs] == [2, 2, 2]
    one = rest.get(f"/v1/runs/{first['runs'][0]['id']}").json()
    assert (one["version"], one["revision"]) == (2, first["runs"][0]["revision"])


def test_steps_are_mapped(rest: APIClient, tenant: Tenant) -> None:
    run_id = waiting_run(tenant)
    first, second = GRACE["steps"]
    publish(tenant, {**GRACE, "steps": [{**first, "key": "patience"}, second]})

    look = rest.post(URL, LOOK | {"map": {"grace": "patience"}, "due": "recompute"}).json()
    rest.post(URL, {"plan": look["plan"]})

    assert (look["groups"][0]["step_to"], look["groups"][0]["outcome"]) == ("patience", "mapped")
    assert version_of(tenant, run_id) == 2


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "/plan"),
        ({"plan": "nonsense"}, "/plan"),
        ({"plan": "WzFd"}, "/plan"),
        ({"dry_run": True, "to_version": 2}, "/from_version"),
        (LOOK | {"to_version": 1}, "/to_version"),
        (LOOK | {"due": "never"}, "/due"),
        (LOOK | {"map": {"grace": "nowhere"}}, "/map/grace"),
        (LOOK | {"plan": "x"}, "/plan"),
        (LOOK | {"limit": 501}, "/limit"),
        (LOOK | {"form": 1}, "/form"),
    ],
)
def test_a_bad_body_writes_nothing(rest: APIClient, tenant: Tenant, body: dict[str, Any], path: str) -> None:
    [run_id] = two_versions(tenant)
    before = rows_of(tenant)

    answer = rest.post(URL, body)

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, path)
    assert rows_of(tenant) == before
    assert version_of(tenant, run_id) == 1


def test_what_is_not_there(rest: APIClient, tenant: Tenant) -> None:
    two_versions(tenant)

    for url, body in ((URL, LOOK | {"to_version": 9}), ("/v1/definitions/nobody/migrate", LOOK)):
        answer = rest.post(url, body)
        assert (answer.status_code, answer.json()["code"]) == (404, "definition_not_found")


def test_a_plan_is_for_one_key(rest: APIClient, tenant: Tenant) -> None:
    two_versions(tenant)
    publish(tenant, GRACE | {"key": "other"})
    plan = rest.post(URL, LOOK).json()["plan"]

    answer = rest.post("/v1/definitions/other/migrate", {"plan": plan})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/plan")


def test_the_command_looks_and_acts(tenant: Tenant) -> None:
    [run_id] = two_versions(tenant)
    words = ["migrate", "dunning", "--from", "1", "--to", "2", "--reason", "better words", "--tenant", tenant.slug]

    def call(*more: str) -> str:
        out = StringIO()
        call_command("definitions", *words, *more, stdout=out)
        return out.getvalue()

    look = call("--dry-run")
    assert "1 would move, 0 would stay.\n  1 waiting at grace: opened_anew." in look
    assert version_of(tenant, run_id) == 1
    [plan] = re.findall(r"^plan (\S+)$", look, re.MULTILINE)
    with pytest.raises(CommandError, match="The plan is not valid"):
        call("--apply", "--plan", plan, "--due", "recompute")
    assert call("--apply", "--plan", plan) == "1 moved, 0 stay, 0 to come.\n"
    assert version_of(tenant, run_id) == 2
    assert "0 moved, 0 stay, 0 to come." in call("--apply")


def test_the_admin_moves_to_the_latest_version(operator: Callable[..., Client], mine: Furnished) -> None:
    client = operator(mine.tenant)
    document = journey(mine.definition.key)
    ensure_definition(tenant_id=mine.tenant.pk, document={**document, "deadline": "P9D"})

    asked = ask(client, DEFINITIONS, "move_runs", mine.definition).content.decode()
    page = client.get(page_of(mine.definition)).content.decode()
    done = ask(client, DEFINITIONS, "move_runs", mine.definition, reason="better words")

    assert "To version 2: 1 runs move, 0 stay. 1 waiting at grace: kept." in asked
    assert "Move its runs" in page
    assert "1 moved, 0 refused" in said(done)
    assert version_of(mine.tenant, mine.run.pk) == 2
    assert client.get(page_of(mine.run)).status_code == 200


def test_an_operator_who_is_no_admin_may_not(operator: Callable[..., Client], mine: Furnished) -> None:
    ensure_definition(tenant_id=mine.tenant.pk, document={**journey(mine.definition.key), "deadline": "P9D"})

    done = ask(
        operator(mine.tenant, role=Role.OPERATOR), DEFINITIONS, "move_runs", mine.definition, reason="better words"
    )

    assert "0 moved, 1 refused" in said(done)
    assert version_of(mine.tenant, mine.run.pk) == 1


def test_the_admin_moves_with_a_map(
    operator: Callable[..., Client], tenant: Tenant, new_tenant: Callable[[], Tenant]
) -> None:
    run_id = waiting_run(tenant)
    first, second = GRACE["steps"]
    publish(tenant, {**GRACE, "steps": [{**first, "key": "patience"}, second]})
    client = operator(tenant)
    with tenant_scope(tenant.pk):
        old = Definition.objects.for_tenant(tenant.pk).get(version=1)
    url = page_of(old).replace("/change/", "/move/")
    assert url in client.get(page_of(old)).content.decode()

    assert "bad_map" not in client.get(url).content.decode()
    for said_, why in (
        ({"map": "grace"}, "/map: A line per step"),
        ({"map": "grace=elsewhere"}, "/map/grace"),
        ({"to_version": "9"}, "No definition"),
    ):
        asked = {"to_version": "2", "due": "keep"} | said_
        assert why in unescape(client.post(url, asked).content.decode())
    looked = client.post(url, {"to_version": "2", "map": "grace = patience", "due": "recompute"}).content.decode()
    assert "1 runs would move, 0 would stay." in looked
    assert version_of(tenant, run_id) == 1
    plan = re.findall(r'name="plan" value="([^"]+)"', looked)[0]
    assert "Say why. Nothing was done." in client.post(url, {"plan": plan, "reason": ""}).content.decode()
    assert version_of(tenant, run_id) == 1
    done = client.post(url, {"plan": plan, "reason": "better words"}).content.decode()

    assert "1 moved, 0 stay, 0 to come." in done
    assert (version_of(tenant, run_id), run_of(tenant, run_id).step) == (2, "patience")
    with tenant_scope(tenant.pk):
        act = OperatorAction.objects.get()
    assert (act.action, act.reason, act.changes) == (
        "move",
        "better words",
        {"version": [1, 2], "runs moved": [0, 1]},
    )
    assert operator(tenant, role=Role.OPERATOR).post(url, {"plan": plan, "reason": "x"}).status_code == 403
    assert operator(new_tenant()).get(url).status_code == 404
