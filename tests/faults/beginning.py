"""When the command began, and what else the machine had to do then: times are judged only where that was nothing."""

import os
import time
from dataclasses import dataclass, field

TIMES = "how soon it moved again, throughput, how soon it said 503: the machine had other work to do when the run began"


def cores() -> int:
    """How many of them this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Beginning:
    """To be made before anything of the run has started to work, or its own load passes for that of others."""

    at: float = field(default_factory=time.monotonic)
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @property
    def seconds(self) -> float:
        """How long ago that was."""
        return time.monotonic() - self.at

    @property
    def busy(self) -> bool:
        """Whether others had work for all cores."""
        return self.load >= cores()
