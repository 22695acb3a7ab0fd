"""What is judged of throughput after a fault: that it comes back within a minute, to stay, and at capacity."""

from typing import Any

import pytest

from tests.faults.throughput import STEADY, WINDOW, WITHIN, Carried, Throughput, undisturbed

LONG = int(WITHIN / WINDOW) + STEADY  # windows until nobody waits any longer


@pytest.mark.parametrize(
    ("after", "back"),
    [
        ([97, 95, 99, 96, 98], 0),
        ([40, 60, 96, 97, 95, 99, 96], 2),
        ([50, 96, 60, 61, 96, 62] + [94] * (LONG - 6), None),  # one good moment, and no more
        ([94] * LONG, None),  # never quite as much
        ([0] * (LONG - STEADY) + [100] * STEADY, None),  # too late
        ([0] * (LONG - STEADY - 1) + [100] * (STEADY + 1), LONG - STEADY - 1),  # just in time
    ],
)
def test_throughput_comes_back_within_a_minute_and_stays(after: list[float], back: int | None) -> None:
    told = Carried("kill_work", (98, 104, 100, 100), after)

    assert (told.usual, told.noise, told.back, told.is_measured) == (100, 0.04, back, True)
    assert ("not back" in str(told)) == (back is None)
    assert not Carried("kill_work", told.before, after[:4]).is_measured


def test_a_fault_is_compared_with_all_windows_in_which_nothing_was_broken() -> None:
    back = Carried("restart_postgres", (100, 100, 100, 100), [10, 96, 96, 96, 96, 96])
    lost = Carried("kill_work", undisturbed(back.before, back), [90] * LONG)

    assert lost.before == [100] * 4 + [96] * 4
    assert (lost.usual, lost.back) == (98, None), "what each fault may lose does not add up"
    assert undisturbed(lost.before, lost) == lost.before


def test_a_service_that_does_not_come_back_breaks_the_promise() -> None:
    nobody: Any = None
    measured = Throughput(nobody, nobody, "seed", {}, carried=[Carried("kill_work", (100.0,), [50.0] * LONG)])

    assert [text.split()[:2] for text in measured.wrong()] == [["throughput:", "kill_work"]]


@pytest.mark.parametrize(("whole", "is_capacity"), [(110.0, True), (130.0, False)])
def test_what_more_callers_exceed_was_no_capacity(whole: float, is_capacity: bool) -> None:
    nobody: Any = None
    measured = Throughput(nobody, nobody, "seed", {}, halves=[100.0], whole=[whole])

    assert bool([*measured.untried()]) != is_capacity
