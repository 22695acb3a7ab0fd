"""Pruning takes ended runs away, whole, and what stays still verifies."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from chimeway_py.embedded.postgres import Postgres
from tenants.models import Tenant
from tenants.scope import tenant_scope
from tests.journeys import GRACE, drain, paid, publish, rows_of, run_of, start, waiting_run
from tests.retention.conftest import aged, exists, keep, lines_of, prune
from tests.trace.tampering import guards_down
from tests.workflows.probe import Probe
from workflows.errors import StartConflict
from workflows.history.exporting import export_run
from workflows.models import Attempt, Listener, Run, SignalVerdict, StepRun, Transition, Wait
from workflows.retention.pruning import prune_everywhere
from workflows.retention.tombstones import count_tombstones, tombstone_of
from workflows.services.control import cancel_runs
from workflows.services.replay import replay_run
from workflows.services.start import NewRun, start_runs
from workflows.services.turn import work_turn
from workflows.states import Cause
from workflows.tasks import prune as tick
from workflows.verify import verify_trace

ALL = (Run, Transition, Wait, Listener, SignalVerdict, StepRun, Attempt)


def test_a_run_goes_whole_and_a_tombstone_stays(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run = ended(tenant)
    keep(tenant)

    counts = prune(tenant)

    assert rows_of(tenant, ALL) == [0] * len(ALL)
    assert (counts["run"], counts["transition"], counts["wait"], counts["verdict"]) == (1, run.seq, 1, 1)
    stone = tombstone_of(tenant_id=tenant.pk, public_id=run.public_id)
    assert (stone.length, bytes(stone.last_hash), stone.state) == (run.seq, bytes(run.chain_head), "completed")
    assert (stone.pruned_by, stone.reason, stone.definition_key, stone.version) == ("ada", "too old", "dunning", 1)
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_only_what_is_old_enough_and_has_ended_as_the_policy_says(tenant: Tenant, ended: Callable[..., Run]) -> None:
    old, young = ended(tenant, days=31), ended(tenant, days=29)
    failed = ended(tenant)
    live = run_of(tenant, waiting_run(tenant))
    with tenant_scope(tenant.pk):
        Run.objects.filter(pk=failed.pk).update(state="failed")
    keep(tenant, days=30)

    assert prune(tenant)["run"] == 1

    assert [exists(tenant, run) for run in (old, young, failed, live)] == [False, True, True, True]
    assert lines_of(tenant, live) == live.seq


def test_work_goes_too_and_work_under_way_keeps_its_run(tenant: Tenant, probe: Probe) -> None:
    publish(tenant, {"key": "work", "steps": [{"key": "go", "kind": "probe"}]})
    done, busy = start(tenant, "work"), start(tenant, "work")
    drain(tenant)
    while work_turn(tenant_id=tenant.pk):
        drain(tenant)
    for run_id in (done, busy):
        aged(tenant, run_id, 100)
    with tenant_scope(tenant.pk):
        StepRun.objects.filter(run_id=busy).update(status="running")
    keep(tenant)

    counts = prune(tenant)

    assert (counts["run"], counts["step_run"], counts["attempt"]) == (1, 1, 1)
    assert exists(tenant, run_of(tenant, busy))


def test_another_tenant_notices_nothing(tenant: Tenant, other_tenant: Tenant, ended: Callable[..., Run]) -> None:
    ended(tenant)
    ended(other_tenant)
    before = rows_of(other_tenant, ALL)
    keep(tenant)
    keep(other_tenant)

    prune(tenant)

    assert rows_of(other_tenant, ALL) == before
    assert count_tombstones(tenant_id=other_tenant.pk) == 0


def test_batches_are_bounded_and_go_on(
    tenant: Tenant, ended: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workflows.retention.runs.BATCH", 2)
    for _ in range(5):
        ended(tenant)
    keep(tenant)

    assert prune(tenant)["run"] == 5
    assert rows_of(tenant, ALL) == [0] * len(ALL)


def test_a_trace_that_is_not_whole_is_evidence_and_stays(
    tenant: Tenant, ended: Callable[..., Run], postgres: Postgres
) -> None:
    broken, whole = ended(tenant), ended(tenant)
    with postgres.connect() as superuser, superuser.transaction(), guards_down(superuser):
        superuser.execute("DELETE FROM workflows_transition WHERE run_id = %s AND seq = 2", [broken.pk])
    keep(tenant)

    counts = prune(tenant)

    assert (counts["run"], counts["left"]) == (1, 1)
    assert [exists(tenant, run) for run in (broken, whole)] == [True, False]


def test_automatic_policies_act_when_the_tick_comes_round(
    tenant: Tenant, other_tenant: Tenant, ended: Callable[..., Run]
) -> None:
    mine, theirs = ended(tenant), ended(other_tenant)
    keep(tenant, is_automatic=True)
    keep(other_tenant)

    tick()
    prune_everywhere()

    assert [exists(tenant, mine), exists(other_tenant, theirs)] == [False, True]
    stone = tombstone_of(tenant_id=tenant.pk, public_id=mine.public_id)
    assert (stone.pruned_by, stone.reason) == ("retention policy", "completed: kept for 30 days")


def test_a_pruned_run_never_starts_again_under_its_key(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run = ended(tenant, idempotency_key="order-7", data={})
    keep(tenant)
    prune(tenant)

    def again(**given: Any) -> Any:
        asked = {"subject": "ada", "correlation": {"invoice_id": "42"}, "idempotency_key": "order-7"} | given
        return start_runs(tenant_id=tenant.pk, definition_key="dunning", runs=[NewRun(**asked)])

    (answer,) = again()
    assert (answer.public_id, answer.created, answer.run_id) == (run.public_id, False, 0)
    with pytest.raises(StartConflict):
        again(subject="bob")
    assert rows_of(tenant, ALL) == [0] * len(ALL)
    assert again(idempotency_key="order-8")[0].created


def replay_of(tenant: Tenant, run: Run) -> Run:
    asked = {"cause": Cause.OPERATOR, "cause_ref": "ada", "reason": "again"}
    return run_of(tenant, replay_run(tenant_id=tenant.pk, public_id=run.public_id, **asked).run_id)


def test_replays_stay_and_name_their_original_when_it_goes(
    tenant: Tenant, rest: APIClient, ended: Callable[..., Run]
) -> None:
    original = ended(tenant)
    replay = replay_of(tenant, original)
    drain(tenant)
    keep(tenant)

    prune(tenant)

    assert run_of(tenant, replay.pk).replayed_from_id is None
    shown = rest.get(f"/v1/runs/{replay.public_id}").json()
    assert (shown["replayed_from"], shown["replays"]) == (str(original.public_id), [])
    assert json.loads(next(export_run(tenant_id=tenant.pk, public_id=replay.public_id)))["replayed_from"] == str(
        original.public_id
    )
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def test_an_original_names_its_replays_when_they_go(tenant: Tenant, rest: APIClient, ended: Callable[..., Run]) -> None:
    original = ended(tenant, days=1)
    first, second = replay_of(tenant, original), replay_of(tenant, original)
    cancel = {"cause": Cause.OPERATOR, "cause_ref": "ada", "reason": "too much"}
    cancel_runs(tenant_id=tenant.pk, public_ids=[first.public_id], **cancel)
    aged(tenant, first.pk, 100)
    keep(tenant, "cancelled")

    assert prune(tenant)["run"] == 1

    shown = rest.get(f"/v1/runs/{original.public_id}").json()
    assert shown["replays"] == [str(first.public_id), str(second.public_id)]
    assert tombstone_of(tenant_id=tenant.pk, public_id=first.public_id).replayed_from == original.public_id
    assert rest.get(f"/v1/tombstones/{first.public_id}").json()["replayed_from"] == str(original.public_id)


def test_verifying_shows_the_tombstones(tenant: Tenant, ended: Callable[..., Run]) -> None:
    run, later = ended(tenant), waiting_run(tenant)
    paid(tenant)
    drain(tenant)
    other = run_of(tenant, later)
    keep(tenant)
    prune(tenant)

    def verify(*arguments: str) -> str:
        written = StringIO()
        call_command("verify_trace", "--tenant", tenant.slug, *arguments, stdout=written, stderr=StringIO())
        return written.getvalue()

    assert f"Intact: 1 run and {other.seq} transitions of {tenant.slug}; 1 tombstone.\n" == verify()
    assert f"{run.public_id} was pruned" in verify("--run", str(run.public_id))


def test_everything_that_leads_to_a_run_is_known(postgres: Postgres) -> None:
    """A new table with a foreign key to a run has to say what becomes of its rows, or nothing is pruned any more."""
    from workflows.history.parts import parts

    known = {(part.table, part.column) for part in parts()}
    known |= {("workflows_transition", "run_id"), ("workflows_run", "replayed_from_id")}
    tables = {"workflows_run", *(part.table for part in parts() if not part.is_forgotten)}
    with postgres.connect() as superuser:
        found = superuser.execute(
            "SELECT c.conrelid::regclass::text, a.attname, c.confrelid::regclass::text FROM pg_constraint c"
            " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey) AND a.attname <> 'tenant_id'"
            " WHERE c.contype = 'f'"
        ).fetchall()

    reached = {table for table, _ in known}
    leading = {(table, column) for table, column, target in found if target in tables and table not in reached}
    assert leading == set()


def test_the_definition_of_pruned_runs_stays(tenant: Tenant, ended: Callable[..., Run]) -> None:
    ended(tenant)
    keep(tenant)
    prune(tenant)

    assert start(tenant, GRACE["key"], correlation={"invoice_id": "42"})
