"""Nudges rest, and the longer the more there is to say."""

import itertools
import time

import pytest

from chimeway_py.nudges import LONGEST_REST, SHORTEST_REST, Name, Relay, Rests

NAME: Name = ("engine", 7)


def messages(rests: Rests, *, begin: float, end: float, every: float) -> list[float]:
    """When messages go out of a name that is offered again and again."""
    sent, now, offers = [], begin, 0
    while now < end:
        offers += 1
        if now >= rests.until(NAME):
            rests.begin(NAME, now, offers)
            sent.append(now)
            offers = 0
        now += every
    return sent


def test_the_first_goes_out_at_once_and_a_second_after_a_short_rest() -> None:
    rests = Rests()
    rests.begin(NAME, 100.0, 1)

    assert rests.until(NAME) == 100.0 + SHORTEST_REST
    assert rests.until(("engine", 8)) == rests.until(("work", 7)) == 0.0


def test_a_burst_is_few_messages_and_none_comes_later_than_the_longest_rest() -> None:
    sent = messages(Rests(), begin=100.0, end=101.0, every=0.0005)

    gaps = [after - before for before, after in itertools.pairwise(sent)]
    assert len(sent) <= 1 / LONGEST_REST + 3
    assert max(gaps) <= LONGEST_REST + 0.001


def test_after_a_pause_it_is_as_quick_as_at_first() -> None:
    rests = Rests()
    last = messages(rests, begin=100.0, end=101.0, every=0.0005)[-1]
    later = last + LONGEST_REST + SHORTEST_REST
    rests.begin(NAME, later, 1)

    assert rests.until(NAME) == later + SHORTEST_REST


def test_one_after_the_other_nobody_waits() -> None:
    every = SHORTEST_REST * 1.2

    sent = messages(Rests(), begin=100.0, end=101.0, every=every)

    assert max(after - before for before, after in itertools.pairwise(sent)) < every * 1.01


def test_the_thread_sleeps_no_longer_than_until_the_next_may_go_out() -> None:
    relay = Relay()
    relay.offer("engine", 7)
    assert relay._ready(100.0) == [(NAME, None)]
    assert relay._seconds_to_wait(100.0) is None

    relay.offer("engine", 7)
    relay.offer("engine", 7)

    assert relay._ready(100.0 + SHORTEST_REST / 4) == []
    assert relay._seconds_to_wait(100.0 + SHORTEST_REST / 4) == pytest.approx(SHORTEST_REST * 3 / 4)
    relay.offer("engine", 8)
    assert relay._seconds_to_wait(100.0) == 0.0
    assert relay._ready(100.0) == [(("engine", 8), None)]
    assert relay._ready(100.0 + SHORTEST_REST) == [(NAME, None)]
    assert relay._seconds_to_wait(200.0) is None


def test_what_was_put_off_comes_when_its_time_has_come() -> None:
    relay = Relay()
    relay.put_off("engine", 7, 0.4, "later-1")

    seconds = relay._seconds_to_wait(time.monotonic())
    assert seconds is not None
    assert 0.3 < seconds <= 0.4
    assert relay._ready(time.monotonic()) == []
    assert relay._ready(time.monotonic() + 0.5) == [(NAME, "later-1")]


@pytest.mark.parametrize("seconds", [(0.4, 0.1), (0.1, 0.4)])
def test_of_two_that_were_put_off_the_one_that_comes_sooner_stays(seconds: tuple[float, float]) -> None:
    relay = Relay()
    for one in seconds:
        relay.put_off("engine", 7, one, f"after {one}")

    assert relay._ready(time.monotonic() + 0.2) == [(NAME, "after 0.1")]
    assert relay._ready(time.monotonic() + 0.5) == []


def test_a_burst_wakes_the_thread_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waking would take the interpreter from whoever makes the burst."""
    relay, woken = Relay(), []
    monkeypatch.setattr(relay._wake, "notify", lambda: woken.append(1))

    for _ in range(100):
        relay.offer("engine", 7)

    assert woken == [1]
