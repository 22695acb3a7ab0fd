"""Replay in REST, on the command line and in the admin."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from signals_app.subjects.erase import erase_subject
from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.admin.conftest import operator
from tests.journeys import GRACE, publish, rows_of, run_of, waiting_run
from tests.replay.journeys import charged
from tests.replay.test_replay import DONE, ended
from tests.workflows.probe import Probe
from workflows.models import Run
from workflows.services.definitions import retire_definition
from workflows.services.switches import switch_definition
from workflows.states import Cause

__all__ = ["operator"]


def address(tenant: Tenant, run_id: int) -> str:
    return f"/v1/runs/{run_of(tenant, run_id).public_id}"


def test_the_lineage_is_seen_from_both_ends(tenant: Tenant, rest: APIClient) -> None:
    old_id = ended(tenant)
    old = str(run_of(tenant, old_id).public_id)

    answers = [rest.post(f"/v1/runs/{old}/replay", {"reason": "again"}, format="json") for _ in range(2)]

    assert [one.status_code for one in answers] == [201, 201]
    new = [one.json()["id"] for one in answers]
    assert rest.get(f"/v1/runs/{new[0]}").json()["replayed_from"] == old
    assert rest.get(f"/v1/runs/{new[0]}").json()["replays"] == []
    shown = rest.get(f"/v1/runs/{old}").json()
    assert (shown["replayed_from"], shown["replays"]) == (None, new)


def test_the_same_key_answers_with_the_run_that_it_started(tenant: Tenant, rest: APIClient) -> None:
    asked = {"idempotency_key": "k1", "version": "latest"}
    url = f"{address(tenant, ended(tenant))}/replay"

    first, second = (rest.post(url, asked, format="json") for _ in range(2))

    assert (first.status_code, second.status_code) == (201, 200)
    assert (first.json()["created"], second.json()) == (True, first.json() | {"created": False})


def test_irreversible_steps_are_named_and_allowed_by_true_alone(tenant: Tenant, rest: APIClient, probe: Probe) -> None:
    url = f"{address(tenant, charged(tenant, *DONE))}/replay"
    before = rows_of(tenant)

    refused = rest.post(url, {}, format="json")
    for almost in ("true", 1, "yes"):
        assert rest.post(url, {"allow_irreversible": almost}, format="json").status_code == 400

    assert (refused.status_code, refused.json()["code"]) == (409, "irreversible_steps")
    assert refused.json()["detail"] == {"steps": ["charge", "thank"]}
    assert rows_of(tenant) == before
    assert rest.post(url, {"allow_irreversible": True}, format="json").status_code == 201


def test_what_is_refused_and_how(tenant: Tenant, other_tenant: Tenant, rest: APIClient) -> None:
    live, foreign = address(tenant, waiting_run(tenant)), address(other_tenant, ended(other_tenant))

    answers = [rest.post(f"{url}/replay", {}, format="json") for url in (live, foreign)]

    assert [(one.status_code, one.json()["code"]) for one in answers] == [
        (409, "run_not_ended"),
        (404, "run_not_found"),
    ]


def switched_off(tenant: Tenant) -> None:
    said = {"cause": Cause.OPERATOR, "cause_ref": "ada", "why": "bad copy"}
    switch_definition(tenant_id=tenant.pk, key="dunning", level="starts_off", **said)


def retired(tenant: Tenant) -> None:
    retire_definition(tenant_id=tenant.pk, key="dunning", version=1)


def followed(tenant: Tenant) -> None:
    retired(tenant)
    publish(tenant, GRACE | {"deadline": "P40D"})


def forgotten(tenant: Tenant) -> None:
    with tenant_scope(tenant.pk):
        execute("DELETE FROM signals_app_payload WHERE tenant_id = %s", [tenant.pk])


def erased(tenant: Tenant) -> None:
    for subject in {run.subject for run in stored(tenant)}:
        erase_subject(tenant_id=tenant.pk, subject=subject, cause="operator", cause_ref="olga")


def stored(tenant: Tenant) -> list[Run]:
    with tenant_scope(tenant.pk):
        return list(Run.objects.for_tenant(tenant.pk))


@pytest.mark.parametrize(
    ("happened", "code", "why"),
    [
        (switched_off, "definition_off", "Its definition is switched off."),
        (retired, "definition_not_found", "No version of its definition is published."),
        (followed, "definition_not_found", "Its version is retired; replay it on the latest one."),
        (forgotten, "start_data_gone", "What it was started with is not kept any more."),
        (erased, "start_data_gone", "What it was started with is not kept any more."),
    ],
)
def test_what_could_start_nothing_is_not_offered(
    tenant: Tenant, rest: APIClient, operator: Callable[..., Client], happened: Callable[..., None], code: str, why: str
) -> None:
    run = run_of(tenant, ended(tenant, data={"amount": 7}))
    url, client = address(tenant, run.pk), operator(tenant, role=Role.OPERATOR)
    happened(tenant)
    before = rows_of(tenant)

    seen = rest.post("/v1/runs/bulk", {"action": "replay", "where": {"workflow": "dunning"}, "dry_run": True}).json()
    offered = {one["name"]: one for one in rest.get(f"{url}/explain").json()["actions"]}["replay"]
    refused = rest.post(f"{url}/replay", {"reason": "again"}, format="json")

    assert (offered["allowed"], offered["why_not"], refused.json()["code"]) == (False, why, code)
    assert f"Refused: {why}" in act(client, run, "replay")
    assert rows_of(tenant) == before
    assert seen["moves"] == int(code != "start_data_gone")
    on_latest = act(client, run, "replay_latest", confirmed="1", reason="again")
    assert ("1 moved, 0 refused" in on_latest) == (happened is followed)


def test_a_key_that_may_not_write_may_not_replay(tenant: Tenant, client_of: Callable[..., APIClient]) -> None:
    reader = client_of(tenant, ["runs:read"])

    assert reader.post(f"{address(tenant, ended(tenant))}/replay", {}, format="json").status_code == 403


def test_the_command_prints_the_new_run(tenant: Tenant) -> None:
    old_id, written = ended(tenant), StringIO()
    given = ["runs", "replay", str(run_of(tenant, old_id).public_id), "--reason", "again", "--tenant", tenant.slug]

    call_command(*given, stdout=written)

    with tenant_scope(tenant.pk):
        assert Run.objects.get(public_id=written.getvalue().strip()).replayed_from_id == old_id


def test_the_command_says_which_steps_have_to_be_allowed(tenant: Tenant, probe: Probe) -> None:
    old = str(run_of(tenant, charged(tenant, *DONE)).public_id)
    given = ["runs", "replay", old, "--reason", "again", "--tenant", tenant.slug]

    with pytest.raises(CommandError, match="charge, thank"):
        call_command(*given, stdout=StringIO())
    call_command(*given, "--allow-irreversible", stdout=StringIO())


def act(client: Client, run: Run, action: str, **given: Any) -> str:
    asked = {"action": action, "_selected_action": run.pk, "from_page": "1"} | given
    return client.post(reverse("admin:workflows_run_changelist"), asked, follow=True).content.decode()


def test_an_operator_replays_with_a_reason(tenant: Tenant, operator: Callable[..., Client]) -> None:
    client, run = operator(tenant, role=Role.OPERATOR), run_of(tenant, ended(tenant))

    assert "A new run starts" in act(client, run, "replay")
    page = act(client, run, "replay", confirmed="1", reason="the template was wrong")

    assert "1 moved, 0 refused" in page
    with tenant_scope(tenant.pk):
        new = Run.objects.get(replayed_from_id=run.pk)
        assert OperatorAction.objects.filter(action="replay", object_ref=str(run.public_id)).exists()
    assert str(run.public_id) in client.get(page_of(new)).content.decode()
    assert str(new.public_id) in client.get(page_of(run)).content.decode()


def test_irreversible_steps_take_an_admin_who_says_so(
    tenant: Tenant, operator: Callable[..., Client], probe: Probe
) -> None:
    client, run = operator(tenant, role=Role.OPERATOR), run_of(tenant, charged(tenant, *DONE))
    said = {"confirmed": "1", "reason": "again"}

    assert "cannot be undone: charge, thank" in act(client, run, "replay")
    assert "0 moved, 1 refused" in act(client, run, "replay", **said)
    assert "0 moved, 1 refused" in act(client, run, "replay_irreversible", **said)
    assert "1 moved, 0 refused" in act(operator(tenant), run, "replay_irreversible", **said)
