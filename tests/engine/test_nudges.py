"""Nudges rest, and the longer the more there is to say."""

import itertools

from chimeway_py.nudges import LONGEST_REST, SHORTEST_REST, Name, Rests

NAME: Name = ("engine", 7)


def messages(rests: Rests, *, begin: float, end: float, every: float) -> list[float]:
    """When messages go out of a name that is offered again and again."""
    sent, now, offers = [], begin, 0
    while now < end:
        offers += 1
        if rests.is_over(NAME, now):
            rests.begin(NAME, now, offers)
            sent.append(now)
            offers = 0
        now += every
    return sent


def test_the_first_goes_out_at_once_and_a_second_after_a_short_rest() -> None:
    rests = Rests()
    rests.begin(NAME, 100.0, 1)

    assert not rests.is_over(NAME, 100.0 + SHORTEST_REST * 0.9)
    assert rests.is_over(NAME, 100.0 + SHORTEST_REST)
    assert rests.is_over(("engine", 8), 100.0)
    assert rests.is_over(("work", 7), 100.0)


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

    assert rests.is_over(NAME, later + SHORTEST_REST)


def test_one_after_the_other_nobody_waits() -> None:
    every = SHORTEST_REST * 1.2

    sent = messages(Rests(), begin=100.0, end=101.0, every=every)

    assert max(after - before for before, after in itertools.pairwise(sent)) < every * 1.01
