"""A timer and a move to another version at one instant, hundreds of times: one winner, and the other one says so."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from tenants.models import Tenant
from tenants.scope import database_now, tenant_scope
from tests.journeys import drain, publish
from tests.racing import race
from workflows.engine.version_moves import MoveOutcome
from workflows.history.rebuild import rebuild_run
from workflows.models import Run, Transition, Wait
from workflows.services.advance import advance_due
from workflows.services.start import NewRun, Started, start_runs
from workflows.services.version_moves import MoveVerdict, move_planned, plan_move
from workflows.services.version_plan import Change
from workflows.states import Cause
from workflows.verify import verify_trace

ROUNDS = 200
TIMED: dict[str, Any] = {"key": "grace", "kind": "wait", "until": {"instant": "data.due_at"}, "on_timeout": "next"}
LATE: dict[str, Any] = {"key": "late", "kind": "wait", "signals": [{"name": "order.closed"}]}
OPEN: dict[str, Any] = LATE | {"key": "grace"}  # in the new version no time ends it


def test_of_a_timer_and_a_move_one_wins(tenant: Tenant) -> None:
    first = database_now() + timedelta(hours=1)

    def due(number: int) -> datetime:
        return first + timedelta(milliseconds=number)

    started = _waiting(tenant, due)
    answers = race(_contenders(tenant, started, due), ROUNDS)

    assert {len(told) for told in answers.values()} == {ROUNDS}
    with tenant_scope(tenant.pk):
        ends = dict(Wait.objects.filter(tenant_id=tenant.pk, closed_at__isnull=False).values_list("run_id", "outcome"))
        lines = Transition.objects.filter(tenant_id=tenant.pk, reason__in=["wait_timed_out", "version_changed"])
        told = {line.run_id: line for line in lines}
        runs = {run.pk: run for run in Run.objects.for_tenant(tenant.pk).select_related("definition")}
        assert (len(told), lines.count()) == (ROUNDS, ROUNDS), "one of them won twice"
    for number, one in enumerate(started):
        run, [verdict] = runs[one.run_id], answers["move"][number]
        moved = ends[one.run_id] == "version_changed"
        assert (verdict.verdict, verdict.outcome) == _told(moved)
        assert answers["timer"][number] == (0 if moved else 1)
        assert (run.step, run.definition.version) == (("grace", 2) if moved else ("late", 1))
        assert rebuild_run(tenant_id=tenant.pk, public_id=one.public_id).is_equal
    assert set(ends.values()) == {"version_changed", "timeout"}
    assert list(verify_trace(tenant_id=tenant.pk)) == []


def _told(moved: bool) -> tuple[str, MoveOutcome]:
    return ("moved", MoveOutcome.OPENED_ANEW) if moved else ("refused", MoveOutcome.CHANGED_SINCE)


def _waiting(tenant: Tenant, due: Callable[[int], datetime]) -> list[Started]:
    """One run for each round, each with a time of its own, and another version to move it to."""
    publish(tenant, {"key": "order", "steps": [TIMED, LATE]})
    new = [NewRun(subject="ada", data={"due_at": due(number).isoformat()}) for number in range(ROUNDS)]
    started = start_runs(tenant_id=tenant.pk, definition_key="order", runs=new)
    drain(tenant)
    publish(tenant, {"key": "order", "steps": [OPEN, LATE]})
    return started


def _contenders(
    tenant: Tenant, started: list[Started], due: Callable[[int], datetime]
) -> dict[str, Callable[[int], Any]]:
    plan = plan_move(tenant_id=tenant.pk, change=Change("order", 1, 2)).plan
    by: dict[str, Any] = {"cause": Cause.OPERATOR, "cause_ref": "grace", "reason": "better words"}

    def move(number: int) -> list[MoveVerdict]:
        run_id = started[number].run_id
        return move_planned(tenant_id=tenant.pk, plan=replace(plan, after=run_id - 1, up_to=run_id), **by).verdicts

    return {"timer": lambda number: advance_due(tenant_id=tenant.pk, limit=1, now=due(number)), "move": move}
