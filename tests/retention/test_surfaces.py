"""REST and the command line do what the services do."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tenants.models import Tenant
from tenants.models.api_key import Scope
from tests.retention.conftest import exists, keep
from workflows.models import Run
from workflows.tasks import prune as tick


def manage(tenant: Tenant, *arguments: Any) -> str:
    written = StringIO()
    call_command("retention", *map(str, arguments), "--tenant", tenant.slug, stdout=written)
    return written.getvalue()


def test_a_plan_is_ordered_over_rest_and_carried_out_by_the_tick(
    tenant: Tenant, rest: Any, ended: Callable[..., Run]
) -> None:
    run = ended(tenant)
    assert rest.put("/v1/retention/policies/completed", {"days": 30}).json()["is_automatic"] is False

    plan = rest.get("/v1/retention/plan").json()
    ordered = rest.post("/v1/retention/orders", {"plan": plan["plan"], "reason": "too old"})
    assert (ordered.status_code, ordered.json()["finished_at"]) == (202, None)
    tick()

    order = rest.get(f"/v1/retention/orders/{ordered.json()['id']}").json()
    assert (plan["parts"][0]["count"], order["pruned"]["run"], order["finished_at"] is None) == (1, 1, False)
    stone = rest.get(f"/v1/tombstones/{run.public_id}").json()
    assert (stone["run"], stone["length"], stone["reason"]) == (str(run.public_id), run.seq, "too old")
    assert [one["run"] for one in rest.get("/v1/tombstones").json()["items"]] == [str(run.public_id)]
    assert rest.get(f"/v1/runs/{run.public_id}").status_code == 404


def test_rest_refuses_a_plan_that_changed(tenant: Tenant, rest: Any, ended: Callable[..., Run]) -> None:
    run = ended(tenant)
    keep(tenant)
    plan = rest.get("/v1/retention/plan").json()["plan"]
    ended(tenant)

    refusal = rest.post("/v1/retention/orders", {"plan": plan, "reason": "too old"})

    assert (refusal.status_code, refusal.json()["code"]) == (409, "plan_changed")
    assert rest.get("/v1/retention/orders").json()["items"] == []
    assert exists(tenant, run)


def test_holds_and_policies_over_rest(tenant: Tenant, rest: Any) -> None:
    placed = rest.post("/v1/holds", {"on": "subject", "value": "ada", "reason": "court"})
    released = rest.post(f"/v1/holds/{placed.json()['id']}/release", {})
    misspelt = [
        rest.put("/v1/retention/policies/failed", {"days": 9, "archive": True}),  # would prune without an archive
        rest.post("/v1/holds", {"on": "subject", "value": "bob", "reason": "court", "until": "2030"}),
        rest.post("/v1/retention/orders", {"plan": "x", "reason": "old", "dry_run": True}),
    ]
    rest.put("/v1/retention/policies/failed", {"days": 9, "is_automatic": True})

    assert [one.json()["detail"][0]["path"] for one in misspelt] == ["/archive", "/until", "/dry_run"]
    assert placed.status_code == 201
    assert released.json()["released_at"] is not None
    assert [one["value"] for one in rest.get("/v1/holds").json()["items"]] == ["ada"]
    assert [one["what"] for one in rest.get("/v1/retention/policies").json()["policies"]] == ["failed"]
    assert rest.delete("/v1/retention/policies/failed").status_code == 204
    assert rest.delete("/v1/retention/policies/failed").status_code == 404
    assert rest.put("/v1/retention/policies/nonsense", {"days": 9}).status_code == 400
    assert rest.put("/v1/retention/policies/failed", {"days": 9, "archives": True}).json()["code"] == "no_archive"


def test_another_tenant_finds_nothing(
    tenant: Tenant, other_tenant: Tenant, rest: Any, ended: Callable[..., Run], client_of: Callable[..., Any]
) -> None:
    run = ended(tenant)
    keep(tenant)
    hold = rest.post("/v1/holds", {"on": "subject", "value": "bob", "reason": "court"}).json()["id"]
    plan = rest.get("/v1/retention/plan").json()["plan"]
    order = rest.post("/v1/retention/orders", {"plan": plan, "reason": "old"}).json()["id"]
    tick()
    other = client_of(other_tenant)

    for address in (f"tombstones/{run.public_id}", f"retention/orders/{order}"):
        assert other.get(f"/v1/{address}").status_code == 404
    assert other.post(f"/v1/holds/{hold}/release", {}).status_code == 404
    for address in ("tombstones", "retention/orders", "holds"):
        assert other.get(f"/v1/{address}").json()["items"] == []


def test_a_key_needs_the_scope(tenant: Tenant, client_of: Callable[..., Any]) -> None:
    reader = client_of(tenant, [Scope.RETENTION_READ])

    assert reader.get("/v1/retention/plan").status_code == 200
    assert reader.put("/v1/retention/policies/failed", {"days": 9}).status_code == 403
    assert client_of(tenant, [Scope.RUNS_READ]).get("/v1/tombstones").status_code == 403


def test_the_command_plans_holds_and_prunes(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run, held = ended(tenant), ended(tenant, subject="bob")
    assert manage(tenant, "set", "completed", 30) == "completed: 30 days\n"
    hold = manage(tenant, "hold", "run", held.public_id, "--reason", "court").strip()

    *counts, plan = manage(tenant, "plan").splitlines()
    assert counts[0].startswith("completed  1 before ")
    assert counts[0].endswith("; 1 held")
    told = manage(tenant, "prune", "--plan", plan.removeprefix("plan "), "--reason", "too old")

    assert told.splitlines()[0] == f"1 runs, {run.seq} transitions"
    assert f"{run.seq} lines" in manage(tenant, "tombstone", run.public_id)
    assert hold in manage(tenant, "show")
    assert manage(tenant, "release", hold) == f"released: run {held.public_id}\n"
    assert manage(tenant, "set", "completed", 0) == "completed: kept for ever\n"
    with pytest.raises(CommandError, match="There is no such plan"):
        manage(tenant, "prune", "--plan", "1.2", "--reason", "too old")
    assert exists(tenant, held)
