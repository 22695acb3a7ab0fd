"""What a fault may touch, and what is kept of it."""

import random
from collections.abc import Generator
from dataclasses import dataclass, field

from tests.faults.ground import Ground

Fault = Generator[float, None, None]


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
    fault: str = ""  # what must not have been


@dataclass(slots=True)
class World:
    """What a fault may touch, and its own dice."""

    ground: Ground
    dice: random.Random
    broken: Broken
    kills: dict[str, int] = field(default_factory=dict)

    def kill(self, *names: str) -> None:
        """SIGKILL to whole processes of the service; they are started again a second later."""
        for name in names:
            child = self.ground.child(name)
            self.count("processes", int(child.is_running))
            child.kill()

    def count(self, what: str, number: int = 1) -> None:
        """Add what has happened to a figure of the report. A fault of which nothing was counted did not happen."""
        if number:
            self.kills[what] = self.kills.get(what, 0) + number
            self.broken.happened = True
