"""The way a run took through its steps, read from its trace. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from workflows.states import TERMINAL
from workflows.trace import Line


@dataclass(frozen=True, slots=True)
class PathTaken:
    """The steps a run entered, in order and with repeats. `end` is its final state, or "" while it lives."""

    visits: tuple[str, ...] = ()
    end: str = ""

    @property
    def current(self) -> str:
        """Where the run stands or ended; "" before the first step."""
        return self.visits[-1] if self.visits else ""

    @property
    def moves(self) -> frozenset[tuple[str, str]]:
        """Pairs of steps that came one after the other."""
        return frozenset(zip(self.visits, self.visits[1:], strict=False))


def path_taken(lines: Iterable[Line]) -> PathTaken:
    """The path of a trace that is given in order of `seq`."""
    visits: list[tuple[str, int]] = []
    end = ""
    for line in lines:
        if line.step and (not visits or visits[-1] != (line.step, line.visit)):
            visits.append((line.step, line.visit))
        end = line.to_state if line.to_state in TERMINAL else ""
    return PathTaken(tuple(step for step, _ in visits), str(end))
