"""Batons: of a backlog, there is about one message for each thread that works on it, whoever adds nudges or dies."""

import itertools
import random
import time
from collections import deque

import pytest

from chimeway_py.nudges import Name
from chimeway_py.turns import AFTER_A_CUT, BELIEVED, MOST_HANDS, Baton, Memory, baton_of
from workflows.services import turn
from workflows.services.owed import EngineOwes

NAME: Name = ("engine", 7)


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_there_are_never_more_batons_than_threads_for_long(threads: int) -> None:
    chance = random.Random(threads)
    memories = [Memory(maker=f"m{number}") for number in range(threads)]
    queue: deque[Baton | None] = deque([None])
    lengths = []

    for tick in range(4000):
        now = tick * 0.25 / threads
        queue.extend([None] * chance.choice([0, 0, 3]))  # a crowd
        memory = chance.choice(memories)
        while queue:
            baton = queue.popleft()
            if memory.is_superseded(NAME, baton) or (baton is None and memory.others_first(NAME, now)):
                continue
            if (left := memory.cut(NAME, baton, now)) is not None:
                queue.append(left)
            break
        lengths.append(sum(one is not None for one in queue))

    assert max(lengths) <= 2 * threads
    assert sum(lengths[1000:]) / len(lengths[1000:]) <= 1.2 * threads


def test_a_cut_leaves_one_baton_and_puts_nudges_off_until_nothing_is_left() -> None:
    mine = Memory(maker="me")

    first, second = mine.cut(NAME, None, 100.0), mine.cut(NAME, None, 100.3)

    assert (first, second) == (Baton("me", 1), None)
    assert mine.others_first(NAME, 100.3 + AFTER_A_CUT * 0.9)
    assert not mine.others_first(NAME, 100.3 + AFTER_A_CUT)
    assert not mine.others_first(("engine", 8), 100.4)
    mine.done(NAME, first)
    assert not mine.others_first(NAME, 100.4)
    assert mine.cut(NAME, None, 100.5) == Baton("me", 2)


def test_a_baton_that_does_not_come_back_is_replaced_and_ends_where_it_was_made() -> None:
    mine = Memory(maker="me")
    first = mine.cut(NAME, None, 100.0)

    second = mine.cut(NAME, None, 100.0 + BELIEVED)

    assert second == Baton("me", 2)
    assert mine.is_superseded(NAME, first)
    assert not mine.is_superseded(NAME, second)
    assert mine.cut(NAME, second, 101.0) == Baton("me", 3)
    assert mine.is_superseded(NAME, second), "its double ends, too"


def test_others_pass_a_baton_on_until_its_maker_must_be_dead() -> None:
    mine = Memory(maker="me")
    baton: Baton | None = Baton("dead", 1)

    for hands in itertools.count(1):
        assert baton is not None
        baton = mine.cut(NAME, baton, 100.0 + hands)
        if baton != Baton("dead", 1, hands):
            break

    assert hands == MOST_HANDS + 1
    assert baton == Baton("me", 1)


@pytest.mark.parametrize("message_id", [None, "", "7f0c", "baton-a-b-c", "baton-a-1", "baton-a-1-2-3", "later-a-1-2"])
def test_anything_else_is_a_plain_nudge(message_id: str | None) -> None:
    assert baton_of(message_id) is None


def test_a_baton_is_read_as_it_was_written() -> None:
    assert baton_of(str(Baton("abc", 3, 2))) == Baton("abc", 3, 2)


Waits = tuple[list[float], list[float]]


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> Waits:
    """How long turns of a tenant that always owes one more signal slept, and after how long they go on."""
    slept: list[float] = []
    left: list[float] = []
    monkeypatch.setattr(turn, "engine_owes", lambda tenant_id: EngineOwes(True, False, False, False))
    monkeypatch.setattr(turn, "route_signals", lambda tenant_id: 1)
    monkeypatch.setattr(turn, "go_on", lambda lane, tenant_id, after=0.0: left.append(after))
    monkeypatch.setattr(time, "sleep", slept.append)
    return slept, left


def test_a_turn_that_finds_few_again_and_again_frees_its_place(waits: Waits) -> None:
    """There are as few places as processes: whoever sleeps in one keeps other tenants waiting."""
    assert turn.engine_turn(tenant_id=7) == 2
    assert waits == ([turn.GATHER], [turn.GATHER_AWAY])


def test_a_part_of_a_very_wide_signal_is_not_little_work(waits: Waits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "SHORT", 0.0)
    monkeypatch.setattr(turn, "TURN_SECONDS", 0.01)

    assert turn.engine_turn(tenant_id=7) > 2
    assert waits == ([], [0.0])
