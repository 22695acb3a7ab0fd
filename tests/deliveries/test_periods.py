"""Periods of a wall clock, against a clock that is read minute by minute."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from deliveries.timing.periods import Clock, Period

NIGHT = {"from": "22:00", "to": "07:00"}
#: zone, an evening before its clocks are turned, quiet periods, a window
CASES = [
    ("Europe/Berlin", "2027-03-27T20:30", [NIGHT], None),  # 02:00 becomes 03:00
    ("Europe/Berlin", "2027-03-27T20:30", [{"from": "22:00", "to": "02:30"}], None),  # ends in the hour that is skipped
    ("Europe/Berlin", "2027-03-27T20:30", [{"from": "02:15", "to": "02:45"}], None),  # lies in it
    ("Europe/Berlin", "2027-03-27T20:30", [{"from": "02:30", "to": "05:00"}], None),  # begins in it
    ("Europe/Berlin", "2026-10-24T20:30", [NIGHT], None),  # 03:00 becomes 02:00
    ("Europe/Berlin", "2026-10-24T20:30", [{"from": "22:00", "to": "02:30"}], None),  # ends in the hour shown twice
    ("Europe/Berlin", "2026-10-24T20:30", [{"from": "02:15", "to": "02:45"}], None),  # quiet twice
    ("Europe/Berlin", "2026-10-24T20:30", [{"from": "02:30", "to": "05:00"}], None),
    ("Australia/Lord_Howe", "2026-10-03T12:00", [{"from": "22:00", "to": "02:15"}], None),  # turned by half an hour
    ("Australia/Lord_Howe", "2027-04-03T12:00", [{"from": "01:45", "to": "02:00"}], None),
    ("America/Santiago", "2026-09-05T22:00", [{"from": "20:00", "to": "00:30"}], None),  # midnight is skipped
    ("Asia/Kolkata", "2026-11-20T10:00", [NIGHT], None),
    ("UTC", "2026-11-20T10:00", [], {"from": "09:00", "to": "18:00", "weekdays": ["mon", "tue"]}),  # a Friday
    ("America/New_York", "2026-11-20T10:00", [{"from": "12:00", "to": "13:00"}], {"from": "11:30", "to": "14:00"}),
    ("UTC", "2026-11-20T10:00", [{"from": "22:00", "to": "06:00", "weekdays": ["fri"]}], None),
    ("UTC", "2026-11-20T10:00", [{"from": "00:00", "to": "06:00", "weekdays": ["sat"]}], None),
    ("UTC", "2026-11-20T10:00", [], {"from": "22:00", "to": "02:00", "weekdays": ["fri"]}),
    ("UTC", "2026-11-20T10:00", [{"from": "06:00", "to": "00:00"}], None),  # midnight ends a day
]


def is_quiet(wall: datetime, quiet: list[dict[str, object]], window: dict[str, object] | None) -> bool:
    """The same question in other words: minutes of the day, and the day on which a period began."""

    def lies_in(raw: dict[str, object]) -> bool:
        days = raw.get("weekdays") or ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
        begins, ends = (int(str(raw[n])[:2]) * 60 + int(str(raw[n])[3:]) for n in ("from", "to"))
        length = (ends - begins) % 1440
        for back in (0, 1):
            day = wall.replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0) - timedelta(days=back)
            since = (wall.replace(tzinfo=None) - day).total_seconds() / 60 - begins
            if 0 <= since < length and f"{day:%a}".lower() in days:  # type: ignore[operator]
                return True
        return False

    return any(map(lies_in, quiet)) or (window is not None and not lies_in(window))


@pytest.mark.parametrize(("zone", "evening", "quiet", "window"), CASES)
def test_the_next_opening_is_the_first_minute_that_is_not_quiet(zone, evening, quiet, window) -> None:  # type: ignore[no-untyped-def]
    clock = Clock(ZoneInfo(zone), [Period.parse(raw) for raw in quiet], Period.parse(window) if window else None)
    start = datetime.fromisoformat(evening).replace(tzinfo=UTC)
    minutes = [start + timedelta(minutes=n) for n in range(5 * 1440)]
    forbidden = [is_quiet(at.astimezone(ZoneInfo(zone)), quiet, window) for at in minutes]

    assert [clock.what_forbids(at) is not None for at in minutes] == forbidden
    assert any(forbidden)
    following: datetime | None = None
    for at, is_forbidden in list(zip(minutes, forbidden, strict=True))[::-1]:
        following = following if is_forbidden else at
        if following is not None and at < minutes[0] + timedelta(days=2) and at.minute % 7 == 0:
            assert clock.next_opening(at) == following


def test_an_opening_is_exact_to_the_second_and_never_early() -> None:
    clock = Clock(ZoneInfo("Europe/Berlin"), [Period(time(22), time(7))])

    assert clock.next_opening(datetime(2026, 11, 20, 21, 0, 0, 1, UTC)) == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)
    last = datetime(2026, 11, 21, 5, 59, 59, 999_999, UTC)
    assert clock.next_opening(last) == datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def test_where_there_is_no_opening_there_is_none() -> None:
    all_day = [Period(time(0), time(12)), Period(time(12), time(0))]

    assert Clock(ZoneInfo("UTC"), all_day).next_opening(datetime(2026, 11, 20, tzinfo=UTC)) is None
