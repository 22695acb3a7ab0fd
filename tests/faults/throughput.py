"""How much of its throughput the service has again, less than a minute after each of five faults."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.facts import RunRow

KINDS = ("restart_postgres", "terminate_backends", "take_all_connections", "kill_work", "kill_work_again_and_again")
RATE = 8.0  # canaries a second, from clients who do not wait for one another
BEFORE, BREAKS_AT, AFTER, LASTS = (2.0, 15.0), 15.0, (35.0, 60.0), 60.0  # seconds of the slot of one fault
LEAST = 0.95


@dataclass(frozen=True, slots=True)
class Slot:
    """One fault under steady load, `begins` seconds after the start of the traffic."""

    kind: str
    begins: float


@dataclass(frozen=True, slots=True)
class Carried:
    """Mails a second before a fault, and in a window that begins 20 s and ends 45 s after it."""

    kind: str
    before: float
    after: float

    @property
    def share(self) -> float:
        """What is left of it."""
        return self.after / self.before if self.before else 0.0

    @property
    def too_little(self) -> bool:
        """Whether it is less than promised."""
        return self.share < LEAST

    def __str__(self) -> str:
        times = f"{AFTER[0] - BREAKS_AT:.0f} to {AFTER[1] - BREAKS_AT:.0f} s after"
        return f"{self.kind:<26} {self.before:4.1f}/s before, {self.after:4.1f}/s {times}: {self.share:4.0%}"


def slots(begins: float) -> list[Slot]:
    """One for each fault, one after the other."""
    return [Slot(kind, begins + number * LASTS) for number, kind in enumerate(KINDS)]


def carried(asked: Sequence[Slot], runs: Sequence[RunRow], began_at: float) -> list[Carried]:
    """What was carried in each slot of a run whose traffic began at that time of day."""
    ended = [
        run.finished_at.timestamp() - began_at for run in runs if run.kind == "canary" and run.finished_at is not None
    ]
    return [Carried(slot.kind, _rate(ended, slot, BEFORE), _rate(ended, slot, AFTER)) for slot in asked]


def _rate(ended: Sequence[float], slot: Slot, window: tuple[float, float]) -> float:
    first, last = slot.begins + window[0], slot.begins + window[1]
    return sum(first <= moment < last for moment in ended) / (last - first)
