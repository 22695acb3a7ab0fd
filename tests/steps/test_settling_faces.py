"""Settling an unknown outcome over REST, at the command line and in the admin; and how it is explained meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from deliveries.services import put_endpoint
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.admin.conftest import operator
from tests.admin.test_actions import ask, said
from tests.explain.test_commands import output
from tests.journeys import rows_of, run_of, told_of
from tests.steps.owing import key_of, step_run_of
from tests.steps.test_at_most_once import unknown_run
from tests.workflows.probe import Probe
from workflows.explain import explain_run
from workflows.models import Run, StepRun, Transition

__all__ = ["operator"]


def address(tenant: Tenant, run_id: int, verb: str) -> str:
    return f"/v1/runs/{run_of(tenant, run_id).public_id}/{verb}"


FOUND_OUT = {"step": "call", "outcome": "delivered", "reason": "asked the provider"}


def test_rest_settles_in_the_name_of_the_key(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    run_id = unknown_run(tenant)

    response = rest.post(address(tenant, run_id, "settle"), FOUND_OUT)

    assert (response.status_code, response.json()["status"], response.json()["outcome"]) == (
        200,
        "succeeded",
        "delivered",
    )
    assert run_of(tenant, run_id).state == "completed"
    with tenant_scope(tenant.pk):
        line = Transition.objects.get(tenant_id=tenant.pk, run_id=run_id, reason="step_settled")
    assert (line.cause, told_of(tenant, run_id, line.reason)[0]["why"]) == ("api", "asked the provider")


REFUSED = [
    (FOUND_OUT | {"outcome": "guess"}, 400, "invalid"),
    (FOUND_OUT | {"reason": ""}, 400, "invalid"),
    (FOUND_OUT | {"by": "me"}, 400, "invalid"),
    (FOUND_OUT | {"step": "other"}, 404, "step_run_not_found"),
    (FOUND_OUT | {"visit": 2}, 404, "step_run_not_found"),
    ({}, 400, "invalid"),
]


@pytest.mark.parametrize(("body", "status", "code"), REFUSED)
def test_what_rest_refuses_writes_nothing(
    body: dict[str, Any], status: int, code: str, tenant: Tenant, rest: APIClient, probe: Probe
) -> None:
    run_id = unknown_run(tenant)
    before = rows_of(tenant, (Run, StepRun, Transition))

    response = rest.post(address(tenant, run_id, "settle"), body)

    assert (response.status_code, response.json()["code"]) == (status, code)
    assert rows_of(tenant, (Run, StepRun, Transition)) == before
    assert step_run_of(tenant, run_id).status == "unknown"


def test_another_tenants_run_is_not_found(
    tenant: Tenant, other_tenant: Tenant, client_of: Callable[..., APIClient], probe: Probe
) -> None:
    run_id = unknown_run(tenant)

    response = client_of(other_tenant).post(address(tenant, run_id, "settle"), FOUND_OUT)

    assert (response.status_code, response.json()["code"]) == (404, "run_not_found")
    assert step_run_of(tenant, run_id).status == "unknown"


def test_settling_twice_is_refused_with_what_was_met(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    run_id = unknown_run(tenant)
    rest.post(address(tenant, run_id, "settle"), FOUND_OUT)

    again = rest.post(address(tenant, run_id, "settle"), FOUND_OUT)

    assert (again.status_code, again.json()["code"]) == (409, "not_unknown")
    assert again.json()["detail"] == {"status": "succeeded", "outcome": "delivered"}


def test_it_is_explained_and_offered_only_while_it_is_unknown(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    run_id = unknown_run(tenant)

    told = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)
    rest.post(address(tenant, run_id, "settle"), FOUND_OUT)
    after = explain_run(tenant_id=tenant.pk, public_id=run_of(tenant, run_id).public_id)

    assert told.reason == "unknown_outcome"
    assert "attempt 1 (lease_expired) may or may not have taken effect" in told.sentence
    assert told.sentence.endswith("nothing happens until somebody settles it.")
    assert [one.allowed for one in told.actions if one.name == "settle"] == [True]
    assert [one.allowed for one in after.actions if one.name == "settle"] == [False]
    assert [one.on for one in told.next] == ["outcome"]


def test_the_command_line_lists_and_settles(tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant)
    key = key_of(tenant, run_id)

    listed = output("steps", "unknown", tenant=tenant)
    settled = output("steps", "settle", key, "delivered", "--reason", "they have it", tenant=tenant)

    assert listed.startswith(f"{key}  probe  since ")
    assert settled == f"{key}  succeeded\n"
    with pytest.raises(CommandError, match="The step run is succeeded"):
        output("steps", "settle", key, "delivered", "--reason", "again", tenant=tenant)
    assert output("steps", "unknown", tenant=tenant) == ""


@pytest.mark.parametrize(
    ("action", "status", "state"),
    [
        ("settle_done", "succeeded", "completed"),
        ("settle_failed", "failed", "completed"),
        ("settle_retry", "owed", "active"),
    ],
)
def test_an_operator_settles_on_the_page_of_the_run(
    action: str, status: str, state: str, operator: Callable[..., Client], tenant: Tenant, probe: Probe
) -> None:
    run_id = unknown_run(tenant)
    client, run = operator(tenant), run_of(tenant, run_id)

    page = client.get(reverse("admin:workflows_run_change", args=[run.public_id])).content.decode()
    response = ask(client, reverse("admin:workflows_run_changelist"), action, run, reason="asked them")

    assert f'value="{action}"' in page
    assert "1 moved, 0 refused" in said(response)
    assert (step_run_of(tenant, run_id).status, run_of(tenant, run_id).state) == (status, state)
    again = ask(client, reverse("admin:workflows_run_changelist"), action, run, reason="asked them")
    assert "0 moved, 1 refused" in said(again)


def test_step_runs_are_settled_in_their_list(operator: Callable[..., Client], tenant: Tenant, probe: Probe) -> None:
    run_id = unknown_run(tenant)
    client, url = operator(tenant), reverse("admin:workflows_steprun_changelist")

    assert "call" in client.get(f"{url}?attention=unknown").content.decode()
    forecast = ask(client, url, "settle_done", step_run_of(tenant, run_id)).content.decode()
    ask(client, url, "settle_done", step_run_of(tenant, run_id), reason="asked them")

    assert "call: it took effect, you say" in forecast
    assert run_of(tenant, run_id).state == "completed"


def test_a_delivery_is_settled_by_its_id(tenant: Tenant, rest: APIClient, client_of: Any, other_tenant: Tenant) -> None:
    from tests.deliveries.conftest import Journey
    from tests.deliveries.test_deliver_step import lose_worker

    put_endpoint(tenant_id=tenant.pk, key="shop", url="https://shop.example.com/")
    journey = Journey(tenant)
    journey.publish({"channel": "webhook", "endpoint": "shop", "at_most_once": True})
    run = journey.start()
    lose_worker(journey, run)
    journey.work()
    url = f"/v1/deliveries/{journey.delivery(run).public_id}/settle"
    body = {"outcome": "delivered", "reason": "the shop has it"}

    foreign = client_of(other_tenant).post(url, body)
    settled = rest.post(url, body)

    assert (foreign.status_code, settled.status_code) == (404, 200)
    assert settled.json()["status"] == "delivered"
    assert journey.run(run).state == "completed"


def test_of_a_run_that_has_ended_it_is_said_what_became_of_it_and_nothing_is_tried_again(
    operator: Callable[..., Client], tenant: Tenant, rest: APIClient, probe: Probe
) -> None:
    run_id = unknown_run(tenant)
    client, page = operator(tenant), reverse("admin:workflows_run_change", args=[str(run_of(tenant, run_id).public_id)])
    assert "settle_retry" in client.get(page).content.decode()
    assert rest.post(address(tenant, run_id, "cancel"), {"reason": "late"}).status_code == 200
    before = rows_of(tenant, (Run, StepRun, Transition))

    shown = client.get(page).content.decode()
    refused = rest.post(address(tenant, run_id, "settle"), FOUND_OUT | {"outcome": "retry"})
    asked = ask(client, reverse("admin:workflows_run_changelist"), "settle_retry", run_of(tenant, run_id))

    assert ("settle_done" in shown, "settle_retry" in shown) == (True, False)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_unknown")
    assert refused.json()["message"].startswith("The run has ended: it is cancelled.")
    assert "refused. The run has ended" in asked.content.decode()
    assert rows_of(tenant, (Run, StepRun, Transition)) == before
    assert rest.post(address(tenant, run_id, "settle"), FOUND_OUT).status_code == 200
    assert (step_run_of(tenant, run_id).outcome, run_of(tenant, run_id).state) == ("delivered", "cancelled")
