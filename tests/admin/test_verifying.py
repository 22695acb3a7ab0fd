"""Where a run stood, whether its trace is whole, and who started or brought in what: on every surface."""

import getpass
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from rest_framework.test import APIClient

from tenants.admin.paging import page_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, publish, run_of, waiting_run
from workflows.models import Run, Transition


def say(tenant: Tenant, *words: Any) -> str:
    written = StringIO()
    call_command(*map(str, words), "--tenant", tenant.slug, stdout=written)
    return written.getvalue()


def test_rest_and_the_admin_say_whether_a_trace_is_whole(
    rest: APIClient, operator: Callable[..., Client], tenant: Tenant
) -> None:
    run = run_of(tenant, waiting_run(tenant))
    address, page = f"/v1/runs/{run.public_id}/verify", page_of(run).replace("/change/", "/verify/")
    viewer = operator(tenant, role=Role.VIEWER)

    assert rest.get(address).json() == {"intact": True, "faults": [], "transitions": run.seq}
    assert "Intact" in viewer.get(page).content.decode()
    assert f'href="{page}"' in viewer.get(page_of(run)).content.decode()

    with tenant_scope(tenant.pk):
        Run.objects.for_tenant(tenant.pk).filter(id=run.pk).update(step="elsewhere")
    found = rest.get(address).json()
    assert (found["intact"], {one["code"] for one in found["faults"]}) == (False, {"wrong_state"})
    assert "does not verify" in viewer.get(page).content.decode()
    assert rest.get(f"{address}?seq=1").status_code == 400


def test_the_command_line_shows_where_a_run_stood(tenant: Tenant) -> None:
    run = run_of(tenant, waiting_run(tenant))

    first, last = (say(tenant, "runs", "state", run.public_id, "--seq", seq) for seq in (1, run.seq))

    assert first.startswith(f"{run.public_id}  pending  -  ")
    assert last.startswith(f"{run.public_id}  waiting  {run.step}  ")
    assert "Visits: " in last
    with pytest.raises(CommandError, match="/seq"):
        say(tenant, "runs", "state", run.public_id, "--seq", run.seq + 1)


def test_what_is_started_brought_in_or_scheduled_by_somebody_is_recorded(tenant: Tenant, tmp_path: Path) -> None:
    publish(tenant, GRACE)
    key = GRACE["key"]

    started = say(tenant, "runs", "start", key, "ada", "--correlation", "invoice_id=7", "--by", "olga").split()[0]
    file = tmp_path / "runs.jsonl"
    say(tenant, "runs", "export", started, "--out", file)
    say(tenant, "runs", "import", file, "--live", "--by", "olga")
    say(
        tenant, "schedules", "create", "daily", key, "0 9 * * *", "ada", "--correlation", "invoice_id=7", "--by", "olga"
    )
    say(tenant, "schedules", "disable", "daily", "--by", "olga")
    say(tenant, "schedules", "list")
    say(tenant, "schedules", "preview", "daily")
    with pytest.raises(CommandError):
        say(tenant, "schedules", "enable", "nobody", "--by", "olga")
    say(tenant, "schedules", "delete", "daily")

    with tenant_scope(tenant.pk):
        acts = list(OperatorAction.objects.filter(tenant_id=tenant.pk).order_by("id"))
        first = Transition.objects.filter(tenant_id=tenant.pk, run__public_id=started).order_by("seq").first()
    assert [(one.action, one.username) for one in acts] == [
        ("runs start", "olga"),
        ("runs import", "olga"),
        ("schedules create", "olga"),
        ("schedules disable", "olga"),
        ("schedules delete", getpass.getuser()),
    ]
    assert (acts[0].object_ref, len({one.object_ref for one in acts[2:]})) == (key, 1)
    assert acts[3].changes["enabled"] == [True, False]
    assert first is not None
    assert (first.cause, first.cause_ref) == ("operator", "olga")
