"""The table of moves: what is not in it is refused, naming both ends."""

import itertools

import pytest

from workflows.states import LIVE, MOVES, TERMINAL, InvalidTransition, RunState, check_move

EVERY = list(itertools.product(["", *RunState], RunState))


@pytest.mark.parametrize(("from_state", "to_state"), [pair for pair in EVERY if pair[1] in MOVES[pair[0]]])
def test_every_move_of_the_table_is_allowed(from_state: str, to_state: RunState) -> None:
    check_move(from_state, to_state)


@pytest.mark.parametrize(("from_state", "to_state"), [pair for pair in EVERY if pair[1] not in MOVES[pair[0]]])
def test_every_move_outside_the_table_is_refused_naming_both_ends(from_state: str, to_state: RunState) -> None:
    with pytest.raises(InvalidTransition) as refusal:
        check_move(from_state, to_state)

    assert refusal.value.detail == {"from_state": from_state, "to_state": to_state}


def test_what_has_ended_never_moves_and_what_lives_can_end() -> None:
    assert all(not MOVES[state] for state in TERMINAL)
    assert all(RunState.CANCELLED in MOVES[state] for state in LIVE)
    assert set(RunState) == LIVE | TERMINAL
