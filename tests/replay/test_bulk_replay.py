"""Replaying all ended runs of a selection: each by itself, once per plan, with a verdict that names the new run."""

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tenants.limits.kinds import LimitKind
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.services import set_limit
from tests.journeys import GRACE, publish, run_of, start
from tests.replay.journeys import CHARGE, charged
from tests.replay.test_replay import DONE, ended
from tests.workflows.probe import Probe
from workflows.models import Run


def replays(tenant: Tenant) -> list[tuple[str, Any]]:
    """(workflow, public id of the origin) of every replay."""
    with tenant_scope(tenant.pk):
        rows = Run.objects.for_tenant(tenant.pk).filter(replayed_from__isnull=False).order_by("id")
        return list(rows.values_list("definition_key", "replayed_from__public_id"))


def test_every_ended_run_is_replayed_once_and_each_has_its_verdict(
    tenant: Tenant, other_tenant: Tenant, probe: Probe, rest: APIClient
) -> None:
    first, second, live = ended(tenant), ended(tenant), start(tenant, "dunning")
    irreversible, elsewhere = charged(tenant, *DONE), ended(other_tenant)
    call = {"action": "replay", "where": {"subject": "ada"}}

    seen = rest.post("/v1/runs/bulk", call | {"dry_run": True}).json()
    assert replays(tenant) == []
    told = rest.post("/v1/runs/bulk", {"plan": seen["plan"], "reason": "provider was down"}).json()
    once = replays(tenant)
    again = rest.post("/v1/runs/bulk", {"plan": seen["plan"], "reason": "provider was down"}).json()

    origins = [run_of(tenant, run_id).public_id for run_id in (first, second)]
    assert (seen["moves"], seen["by_state"]["cancelled"]) == (3, 2)
    assert once == [("dunning", origin) for origin in origins]
    verdicts = {one["id"]: one for one in told["runs"]}
    assert [verdicts[str(origin)]["verdict"] for origin in origins] == ["moved", "moved"]
    assert [verdicts[str(origin)]["state"] for origin in origins] == ["cancelled", "cancelled"]
    charge = verdicts[str(run_of(tenant, irreversible).public_id)]
    assert (charge["verdict"], charge["replay"]) == ("refused", None)
    assert "cannot be undone: charge, thank" in charge["why"]
    with tenant_scope(tenant.pk):
        new = {str(run.public_id) for run in Run.objects.filter(replayed_from__isnull=False)}
    assert {verdicts[str(origin)]["replay"] for origin in origins} == new
    assert [one["replay"] for one in again["runs"]] == [one["replay"] for one in told["runs"]]
    assert replays(tenant) == once
    assert str(run_of(tenant, live).public_id) not in verdicts
    assert (run_of(other_tenant, elsewhere).state, replays(other_tenant)) == ("cancelled", [])


def test_it_is_told_how_and_what_goes_with_it(tenant: Tenant, probe: Probe, rest: APIClient) -> None:
    run_id = charged(tenant, *DONE)
    publish(tenant, CHARGE | {"deadline": "P9D"})
    where = {"workflow": CHARGE["key"]}

    refused = [
        rest.post("/v1/runs/bulk", {"action": "cancel", "where": where, "version": "latest"}),
        rest.post("/v1/runs/bulk", {"action": "cancel", "where": where, "allow_irreversible": True}),
        rest.post("/v1/runs/bulk", {"action": "replay", "where": where, "allow_irreversible": "yes"}),
        rest.post("/v1/runs/bulk", {"action": "replay", "where": where, "version": "newest"}),
        rest.post("/v1/runs/bulk", {"action": "replay", "where": where, "compensate": True}),
    ]
    call = {"action": "replay", "where": where, "version": "latest", "allow_irreversible": True}
    told = rest.post("/v1/runs/bulk", call).json()

    assert [one.status_code for one in refused] == [400] * 5
    assert [one.json()["detail"][0]["path"] for one in refused] == [
        "/version",
        "/allow_irreversible",
        "/allow_irreversible",
        "/version",
        "/compensate",
    ]
    with tenant_scope(tenant.pk):
        new = Run.objects.select_related("definition").get(public_id=told["runs"][0]["replay"])
    assert (new.replayed_from_id, new.definition.version) == (run_id, 2)


def test_a_limit_that_is_met_leaves_the_batch_undone(tenant: Tenant, rest: APIClient) -> None:
    for _ in range(3):
        ended(tenant)
    set_limit(tenant_id=tenant.pk, kind=LimitKind.LIVE_RUNS, amount=2, changed_by="ada")
    call = {"action": "replay", "where": {"workflow": "dunning"}}

    over = rest.post("/v1/runs/bulk", call)
    assert (over.status_code, over.json()["code"], replays(tenant)) == (429, "limit_reached", [])
    within = rest.post("/v1/runs/bulk", call | {"limit": 2}).json()

    assert (within["moves"], within["remaining"], len(replays(tenant))) == (2, 1, 2)


def test_the_command_names_the_new_runs(tenant: Tenant) -> None:
    run_id = ended(tenant)
    publish(tenant, GRACE)
    written = io.StringIO()
    words = ["bulk", "replay", "--tenant", tenant.slug, "--workflow", "dunning"]

    call_command("runs", *words, "--reason", "provider was down", stdout=written)

    [(_, origin)] = replays(tenant)
    assert origin == run_of(tenant, run_id).public_id
    with tenant_scope(tenant.pk):
        new = Run.objects.get(replayed_from=run_id).public_id
    assert f"{origin}  moved, cancelled, replayed as {new}\n" in written.getvalue()
    assert written.getvalue().endswith("1 moved, 0 refused, 0 to come.\n")
    with pytest.raises(CommandError, match="/version"):
        call_command("runs", "bulk", "wake", *words[2:], "--reason", "x", "--version", "latest")
