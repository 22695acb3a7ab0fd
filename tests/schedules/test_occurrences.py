"""When a cron expression occurs, in zones whose clocks are turned: nothing is lost and nothing happens twice."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import pytest

from chimeway_py.errors import Invalid
from tests.schedules.calendar import at
from workflows.services.occurrences import latest_occurrences, occurrence_faults, occurrences_after
from workflows.services.schedules import preview

BERLIN = "Europe/Berlin"  # 02:00 becomes 03:00 on 2026-03-29, and 03:00 becomes 02:00 on 2026-10-25
EXPRESSIONS = ["30 2 * * *", "15 2 * * *", "30,45 2 * * *", "*/15 * * * *", "0 1-3 * * *", "0 */2 * * *", "59 23 L * *"]
ZONES = [BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]


def following(expression: str, zone: str, after: str, count: int) -> list[str]:
    return [f"{one:%m-%d %H:%M}" for one in islice(occurrences_after(expression, zone, at(after)), count)]


def test_a_time_on_the_wall_stays_where_it_is_when_clocks_are_turned() -> None:
    assert following("0 9 * * *", BERLIN, "2026-03-27 12:00", 3) == ["03-28 08:00", "03-29 07:00", "03-30 07:00"]


def test_what_falls_into_the_hour_that_is_skipped_occurs_right_after_it() -> None:
    found = following("30 2 * * *", BERLIN, "2026-03-27 12:00", 3)

    assert found == ["03-28 01:30", "03-29 01:00", "03-30 00:30"]  # 02:30, 03:00 instead of 02:30, 02:30


def test_what_falls_into_the_hour_that_is_repeated_occurs_once() -> None:
    assert following("30 2 * * *", BERLIN, "2026-10-24 12:00", 2) == ["10-25 00:30", "10-26 01:30"]


@pytest.mark.parametrize("after", ["2026-10-25 00:30", "2026-10-25 01:05", "2026-10-25 01:30", "2026-10-25 01:45"])
def test_nor_does_it_when_the_second_time_is_where_one_begins(after: str) -> None:
    assert following("30 2 * * *", BERLIN, after, 1) == ["10-26 01:30"]


def test_what_occurs_every_hour_does_so_in_both_and_in_none() -> None:
    assert following("0 * * * *", BERLIN, "2026-10-24 23:30", 3) == ["10-25 00:00", "10-25 01:00", "10-25 02:00"]
    assert following("0 * * * *", BERLIN, "2026-03-28 23:30", 3) == ["03-29 00:00", "03-29 01:00", "03-29 02:00"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize("since", ["2026-03-01 00:00", "2026-10-01 00:00"])
def test_step_by_step_at_once_and_from_the_end_are_the_same(expression: str, zone: str, since: str) -> None:
    begin, end = at(since), at(since) + timedelta(days=37, minutes=71)
    before = begin - timedelta(seconds=1)

    at_once = list(takewhile(lambda one: one <= end, occurrences_after(expression, zone, before)))
    step_by_step, instant = [], before
    while (instant := next(occurrences_after(expression, zone, instant))) <= end:
        step_by_step.append(instant)

    assert at_once == step_by_step == latest_occurrences(expression, zone, begin, end, 10_000)
    for most in (1, 2, 7):
        assert latest_occurrences(expression, zone, begin, end, most) == at_once[-most:]


def test_the_latest_of_six_years_of_minutes_cost_nothing() -> None:
    found = latest_occurrences("* * * * *", BERLIN, at("2020-01-01 00:00"), at("2026-01-01 00:00"), 3)

    assert [f"{one:%H:%M}" for one in found] == ["23:58", "23:59", "00:00"]


@pytest.mark.parametrize(
    ("expression", "zone", "codes"),
    [
        ("0 9 * * *", BERLIN, []),
        ("0 9 L * *", "UTC", []),
        ("0 9 * * MON#1", "UTC", []),
        ("0 9 * *", "UTC", ["bad_expression"]),
        ("0 0 9 * * *", "UTC", ["bad_expression"]),  # with seconds
        ("0 25 * * *", "UTC", ["bad_expression"]),
        ("0 0 30 2 *", "UTC", ["bad_expression"]),  # never
        ("@daily", "UTC", ["bad_expression"]),
        (" ".join(["1,2,3,4,5,6,7,8,9,10,11,12"] * 5), "UTC", ["bad_expression"]),
        ("", "Mars/Olympus", ["time_zone", "bad_expression"]),
        ("0 9 * * *", "../etc/passwd", ["time_zone"]),
    ],
)
def test_what_is_wrong_with_an_expression(expression: str, zone: str, codes: list[str]) -> None:
    assert [one["code"] for one in occurrence_faults(expression, zone)] == codes


def test_a_preview_shows_the_next_five_or_every_fault() -> None:
    assert len(preview(expression="0 9 * * 1-5", zone=BERLIN, after=datetime.now(UTC))) == 5
    with pytest.raises(Invalid) as refused:
        preview(expression="now", zone="here", after=datetime.now(UTC))
    assert [one["path"] for one in refused.value.detail] == ["/zone", "/expression"]  # type: ignore[index]
