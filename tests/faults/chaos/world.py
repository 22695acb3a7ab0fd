"""What a fault may touch, and what is kept of it."""

import random
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, field

import psycopg

from tests.faults.ground import Ground

Fault = Generator[float, None, None]


def again_and_again(times: int, pause: float, once: Callable[[], Fault | None]) -> Fault:
    """The same so many times, with so many seconds in between and none after the last: recovery is timed from there."""
    for number in range(times):
        if number:
            yield pause
        yield from once() or ()


@dataclass(slots=True)
class Broken:
    """One fault of a run: when it began, and when it was mended (or, for a death, when the process died)."""

    kind: str
    at: float  # seconds after the start of the traffic, as planned
    alone: bool = True  # nothing else is broken meanwhile, so that its recovery can be measured
    owed: bool = True  # it must happen; in a storm another fault may be in its way
    happened: bool = False
    began: float = 0.0
    mended: float = 0.0
    note: str = ""
    gave_up: bool = False  # it waited for a process or for traffic, which did not come
    fault: str = ""  # what must not have been


def share(many: float, number: int) -> int:
    """A part of a number, and not nothing."""
    return max(2, round(many * number))


@dataclass(slots=True)
class World:
    """What a fault may touch, and its own dice."""

    ground: Ground
    dice: random.Random
    broken: Broken
    many: float = 1.0  # which share of what there is time for in a long run
    kills: dict[str, int] = field(default_factory=dict)

    def of(self, number: int) -> int:
        """How many of so many there is time for."""
        return share(self.many, number)

    def kill(self, *names: str) -> None:
        """SIGKILL to whole processes of the service; they are started again a second later."""
        for name in names:
            child = self.ground.child(name)
            self.count(child.name.removesuffix("-2"), int(child.is_running))
            child.kill()

    def keep_down(self, seconds: float, *names: str) -> None:
        """SIGKILL to whole processes of the service; they are started again so many seconds later."""
        assert self.ground.supervisor
        self.kill(*names)
        for watched in self.ground.supervisor.watched:
            if watched.child.name in names:
                watched.start_at = time.monotonic() + seconds

    def ask(self, statement: str, *values: str) -> int:
        """The number that PostgreSQL answers; 0 while it cannot be asked."""
        with suppress(psycopg.Error), self.ground.superuser() as database:
            row = database.execute(statement, values).fetchone()
            return int(row[0]) if row else 0
        return 0

    def give_up(self, why: str) -> None:
        """Say for what it has waited in vain: whatever was killed, the fault did not happen."""
        self.broken.note, self.broken.gave_up, self.broken.happened = why, True, False

    def count(self, what: str, number: int = 1) -> None:
        """Add what has happened to a figure of the report. A fault of which nothing was counted did not happen."""
        if number:
            self.kills[what] = self.kills.get(what, 0) + number
            self.broken.happened = True
