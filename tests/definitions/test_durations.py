from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflows.definitions.durations import LONGEST, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("P2D", timedelta(days=2)),
        ("P1W", timedelta(weeks=1)),
        ("PT1H30M", timedelta(hours=1, minutes=30)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("PT0.25S", timedelta(milliseconds=250)),
        ("PT0S", timedelta(0)),
    ],
)
def test_durations_are_read(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1DT", "2D", "P2", "p2d", "P-2D", "PT1M2H", "P2D\n", " P2D", "P2H", "PT1.S"),
        "P１D",  # a full-width digit is a digit to Python, not to ISO 8601
        "P1Y",
        "P3M",
        "P99999D",
        "P" + "9" * 400 + "D",
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_months_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match="P30D"):
        parse_duration("P1M")


@given(st.timedeltas(min_value=timedelta(0), max_value=LONGEST))
def test_what_is_written_reads_back(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length


@given(st.text())
def test_reading_raises_nothing_but_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_duration(text) <= LONGEST


def test_a_negative_length_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="not negative"):
        format_duration(timedelta(seconds=-1))
