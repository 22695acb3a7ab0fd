"""How soon the service moved again after each fault, measured on the canaries: a start by REST, a mail that arrived."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.chaos import Broken
from tests.faults.facts import RunRow

#: seconds within which the service must move again after a fault of the kind was mended; 15 s where none is named
TARGETS = {"kill_postgres": 10.0, "restart_postgres": 10.0}
TARGET = 15.0


@dataclass(frozen=True, slots=True)
class Recovery:
    """One kind of fault: how often it happened, and the longest time until a canary started after it had ended."""

    kind: str
    times: int
    typical: float
    longest: float

    @property
    def late(self) -> bool:
        """Whether it took longer than promised."""
        return self.longest > TARGETS.get(self.kind, TARGET)


def recoveries(faults: Sequence[Broken], runs: Sequence[RunRow]) -> list[Recovery]:
    """One line for each kind, slowest first."""
    canaries = sorted(
        (run.created_at.timestamp(), run.finished_at.timestamp())
        for run in runs
        if run.kind == "canary" and run.finished_at is not None
    )
    found: dict[str, list[float]] = defaultdict(list)
    for fault in faults:
        moved = [ended - fault.mended for started, ended in canaries if started >= fault.mended]
        if fault.alone and fault.mended and moved:
            found[fault.kind].append(min(moved))
    lines = [Recovery(kind, len(times), sorted(times)[len(times) // 2], max(times)) for kind, times in found.items()]
    return sorted(lines, key=lambda line: -line.longest)
