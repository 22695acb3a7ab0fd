"""Each occurrence starts its runs once, whoever sweeps; a downtime is made up for as the policy says."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tenants.models import Tenant
from tenants.scope import tenant_scope
from tenants.sql import execute
from tests.journeys import drain, reasons_of, rows_of
from tests.schedules.calendar import at, schedule_of, scheduled, started
from workflows.models import Run
from workflows.services import firing
from workflows.services.definitions import retire_definition
from workflows.services.firing import fire_due_schedules
from workflows.services.schedules import change_schedule, delete_schedule
from workflows.services.sweeping import due_work
from workflows.services.turn import engine_turn

MONDAY = at("2026-03-02 09:00")


def fire(tenant: Tenant, now: Any) -> list[str]:
    """Sweep until nothing is due; what was started since the tenant exists."""
    for _ in range(20):
        fire_due_schedules(tenant_id=tenant.pk, now=now)
    return started(tenant)


def test_an_occurrence_starts_a_run_for_each_subject(tenant: Tenant) -> None:
    scheduled(tenant, since=MONDAY, subjects=["ada", "grace"], correlation={"invoice_id": 7}, data={"kind": "weekly"})

    assert fire_due_schedules(tenant_id=tenant.pk, now=MONDAY + timedelta(seconds=2)) == 1
    drain(tenant)

    with tenant_scope(tenant.pk):
        runs = list(Run.objects.for_tenant(tenant.pk).order_by("subject"))
    assert [(run.subject, run.correlation, run.state) for run in runs] == [
        ("ada", {"invoice_id": "7"}, "waiting"),
        ("grace", {"invoice_id": "7"}, "waiting"),
    ]
    assert {(run.started_by, run.started_by_ref) for run in runs} == {("timer", "schedule:daily")}
    assert all(run.data_sha for run in runs)
    assert reasons_of(tenant, runs[0].pk)[0] == "created"
    after = schedule_of(tenant)
    assert (after.started_at, after.next_at) == (MONDAY, MONDAY + timedelta(days=1))


def test_nothing_starts_before_its_time(tenant: Tenant) -> None:
    scheduled(tenant, since=MONDAY)

    assert fire_due_schedules(tenant_id=tenant.pk, now=MONDAY - timedelta(milliseconds=1)) == 0
    assert started(tenant) == []


def test_firing_again_starts_nothing_more(tenant: Tenant) -> None:
    scheduled(tenant, since=MONDAY)

    assert fire(tenant, MONDAY) == fire(tenant, MONDAY) == ["2026-03-02T09:00Z"]


def test_several_sweepers_start_one_run(tenant: Tenant, together: Callable[..., list[Any]]) -> None:
    for _ in range(5):
        scheduled(tenant, since=MONDAY)

        fired = together(*[lambda: fire_due_schedules(tenant_id=tenant.pk, now=MONDAY)] * 6)

        assert sorted(fired) == [0, 0, 0, 0, 0, 1]
        assert started(tenant)[-1:] == ["2026-03-02T09:00Z"]
        delete_schedule(tenant_id=tenant.pk, key="daily")
    assert len(started(tenant)) == 1  # made again under its key, it meets the run of the occurrence


def test_even_if_the_schedule_were_turned_back(tenant: Tenant) -> None:
    """The unique key proves it, and not the schedule's own note of when it comes next."""
    scheduled(tenant, since=MONDAY)
    fire(tenant, MONDAY)
    with tenant_scope(tenant.pk):
        execute("UPDATE workflows_schedule SET next_at = %s WHERE tenant_id = %s", [MONDAY, tenant.pk])

    assert fire(tenant, MONDAY) == ["2026-03-02T09:00Z"]


@pytest.mark.parametrize(
    ("policy", "hours_late", "expected", "skipped"),
    [
        ("skip", 0.01, ["2026-03-05T09:00Z"], "2026-03-04 09:00"),
        ("skip", 2, [], "2026-03-05 09:00"),
        ("latest", 2, ["2026-03-05T09:00Z"], "2026-03-04 09:00"),
        ("all", 2, ["2026-03-04T09:00Z", "2026-03-05T09:00Z"], "2026-03-03 09:00"),
    ],
)
def test_what_is_made_up_for_after_three_days(
    tenant: Tenant, policy: str, hours_late: float, expected: list[str], skipped: str
) -> None:
    scheduled(tenant, since=MONDAY, missed=policy, most_missed=2)
    now = MONDAY + timedelta(days=3, hours=hours_late)

    assert fire(tenant, now) == expected
    after = schedule_of(tenant)
    assert (after.skipped_at, after.next_at) == (at(skipped), MONDAY + timedelta(days=4))


def test_what_is_made_up_for_comes_one_a_turn(tenant: Tenant) -> None:
    scheduled(tenant, since=MONDAY, missed="all", most_missed=3)
    now, seen = MONDAY + timedelta(days=7), []

    for _ in range(4):
        fire_due_schedules(tenant_id=tenant.pk, now=now)
        seen.append(len(started(tenant)))

    assert seen == [1, 2, 3, 3]


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2026-03-28 00:00", ["2026-03-28T01:30Z", "2026-03-29T01:00Z", "2026-03-30T00:30Z"]),
        ("2026-10-24 00:00", ["2026-10-24T00:30Z", "2026-10-25T00:30Z", "2026-10-26T01:30Z"]),
    ],
)
def test_half_past_two_when_clocks_are_turned(tenant: Tenant, since: str, expected: list[str]) -> None:
    scheduled(tenant, "30 2 * * *", since=at(since), zone="Europe/Berlin")

    for hour in range(72):  # a sweep an hour
        fire_due_schedules(tenant_id=tenant.pk, now=at(since) + timedelta(hours=hour))

    assert started(tenant) == expected


def test_runs_that_are_refused_are_noted_and_the_next_occurrence_comes(tenant: Tenant) -> None:
    scheduled(tenant, since=MONDAY)
    retire_definition(tenant_id=tenant.pk, key="dunning", version=1)

    assert fire(tenant, MONDAY) == []

    after = schedule_of(tenant)
    assert (after.refusal, after.refused_at, after.started_at) == ("definition_not_found", MONDAY, None)
    assert after.next_at == MONDAY + timedelta(days=1)


def test_a_schedule_that_fails_holds_up_no_other(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduled(tenant, since=MONDAY)
    scheduled(tenant, since=MONDAY, key="other")
    real = firing._start

    def fails_on_daily(schedule: Any, occurrence: Any) -> bool:
        if schedule.key == "daily":
            raise OSError
        return real(schedule, occurrence)

    monkeypatch.setattr(firing, "_start", fails_on_daily)

    assert fire_due_schedules(tenant_id=tenant.pk, now=MONDAY) == 1
    assert (schedule_of(tenant).next_at, schedule_of(tenant, "other").started_at) == (MONDAY, MONDAY)
    monkeypatch.undo()
    assert len(fire(tenant, MONDAY)) == 2


def test_one_that_is_switched_off_starts_nothing_and_makes_up_for_nothing(tenant: Tenant) -> None:
    scheduled(tenant, since=MONDAY)
    change_schedule(tenant_id=tenant.pk, key="daily", changes={"enabled": False})

    assert fire(tenant, MONDAY + timedelta(days=9)) == []
    assert schedule_of(tenant).next_at is None
    change_schedule(tenant_id=tenant.pk, key="daily", changes={"enabled": True})
    assert started(tenant) == []


def test_the_sweep_finds_it_and_a_turn_of_the_engine_does_it(tenant: Tenant) -> None:
    scheduled(tenant, "* * * * *", since=MONDAY)
    assert ("engine", tenant.pk) in due_work()

    assert [engine_turn(tenant_id=tenant.pk) for _ in range(3)] == [1, 1, 0]

    with tenant_scope(tenant.pk):
        assert [run.state for run in Run.objects.for_tenant(tenant.pk)] == ["waiting"]
    assert ("engine", tenant.pk) not in due_work()


def test_another_tenants_schedule_is_left_alone(tenant: Tenant, other_tenant: Tenant) -> None:
    scheduled(other_tenant, since=MONDAY)

    assert fire_due_schedules(tenant_id=tenant.pk, now=MONDAY) == 0
    assert rows_of(other_tenant) == [0, 0, 0, 0]
