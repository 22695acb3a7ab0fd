"""Snapshots save reading, and never say anything that the trace does not."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.history.conftest import nag
from tests.journeys import run_of
from workflows.history.check import check_runs
from workflows.history.rebuild import TraceBroken, rebuild_run, state_at
from workflows.history.snapshots import EVERY, take_snapshot, take_snapshots, take_snapshots_everywhere
from workflows.models import Snapshot
from workflows.tasks import take_snapshots as tick


def snapshots_of(tenant: Tenant) -> list[int]:
    with tenant_scope(tenant.pk):
        return list(Snapshot.objects.filter(tenant_id=tenant.pk).order_by("seq").values_list("seq", flat=True))


def change_snapshot(tenant: Tenant, **columns: Any) -> None:
    with tenant_scope(tenant.pk):
        assert Snapshot.objects.filter(tenant_id=tenant.pk).update(**columns) == 1


def test_a_snapshot_is_taken_when_the_trace_has_grown_long(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run_id = long_run(EVERY - 10)
    assert take_snapshots(tenant_id=tenant.pk) == 0

    nag(tenant, 20)
    tick()
    tick()

    assert snapshots_of(tenant) == [run_of(tenant, run_id).seq]


def test_a_rebuild_reads_on_from_the_snapshot(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(30))
    at = take_snapshot(tenant_id=tenant.pk, public_id=run.public_id).seq
    nag(tenant, 5)

    quick = rebuild_run(tenant_id=tenant.pk, public_id=run.public_id)
    slow = rebuild_run(tenant_id=tenant.pk, public_id=run.public_id, from_start=True)

    assert (quick.snapshot_seq, quick.lines) == (at, 5)
    assert (slow.snapshot_seq, slow.lines) == (0, at + 5)
    assert quick.state == slow.state
    assert state_at(tenant_id=tenant.pk, public_id=run.public_id, seq=at + 2).seq == at + 2


def test_a_snapshot_that_lies_is_not_believed(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(30))
    take_snapshot(tenant_id=tenant.pk, public_id=run.public_id)
    honest = rebuild_run(tenant_id=tenant.pk, public_id=run.public_id)
    with tenant_scope(tenant.pk):
        state = Snapshot.objects.get(tenant_id=tenant.pk).state
    change_snapshot(tenant, state=state | {"pending_signals": 7})

    rebuilt = rebuild_run(tenant_id=tenant.pk, public_id=run.public_id)

    assert (rebuilt.is_equal, rebuilt.state, rebuilt.snapshot_seq) == (True, honest.state, 0)
    assert [(one.bad_snapshots, one.rebuilt.faults) for one in check_runs(tenant_id=tenant.pk)] == [((run.seq,), ())]


def test_a_snapshot_of_another_trace_is_not_used(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(30))
    take_snapshot(tenant_id=tenant.pk, public_id=run.public_id)
    change_snapshot(tenant, hash=b"\1" * 32)

    assert rebuild_run(tenant_id=tenant.pk, public_id=run.public_id).snapshot_seq == 0


def test_no_snapshot_is_taken_of_what_the_trace_does_not_give(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(EVERY))
    with tenant_scope(tenant.pk):
        type(run).objects.filter(pk=run.pk).update(step="elsewhere")

    with pytest.raises(TraceBroken):
        take_snapshot(tenant_id=tenant.pk, public_id=run.public_id)
    assert take_snapshots_everywhere() == 0
    assert snapshots_of(tenant) == []


def rebuild(tenant: Tenant, *arguments: str) -> str:
    written = StringIO()
    call_command("rebuild", "--tenant", tenant.slug, *arguments, stdout=written, stderr=(told := StringIO()))
    assert told.getvalue().endswith("\r\n")  # the result does not share the line of the progress
    return written.getvalue()


def test_the_command_compares_by_default_and_writes_when_told(tenant: Tenant, long_run: Callable[[int], int]) -> None:
    run = run_of(tenant, long_run(30))
    take_snapshot(tenant_id=tenant.pk, public_id=run.public_id)
    assert rebuild(tenant) == f"Equal: 1 runs rebuilt from {run.seq} transitions of {tenant.slug}.\n"
    change_snapshot(tenant, state={"state": "failed"})
    with tenant_scope(tenant.pk):
        type(run).objects.filter(pk=run.pk).update(terminal_reason="lost")

    for arguments in ([], ["--check"], ["--check", "--workflow", "nagging", "--state", "waiting"]):
        with pytest.raises(CommandError, match="1 runs are not as their traces say"):
            rebuild(tenant, *arguments)
    assert run_of(tenant, run.pk).terminal_reason == "lost"

    assert rebuild(tenant, "--write").startswith(f"run {run.public_id}: waiting at rest, 1 snapshots dropped.")
    assert rebuild(tenant, "--check", "--run", str(run.public_id)).startswith("Equal: 1 runs")
