"""The plan of a run: which journeys when, and which faults when. The same seed and length give the same plan."""

import random
from dataclasses import dataclass

from tests.faults.chaos import KINDS, Broken
from tests.faults.crowds import crowds
from tests.faults.journeys import Journey
from tests.faults.scripts import canaries, planned
from tests.faults.throughput import BREAKS_AT, RATE, Slot, slots
from tests.faults.throughput import LASTS as SLOT_LASTS

TENANTS = 3  # and one with a limit, which comes last
ALWAYS = (
    "flush_broker",
    "kill_all_workers",
    "kill_postgres",
    "die_before_finish",
    "freeze_work",
)  # also in a quick run
REST = 15.0  # seconds without traffic between the storm and the measurement of throughput
CALM = 4.0  # seconds of traffic before the first fault and after the last


#: seconds that a fault takes until it is mended, where it is not over at once
LASTS = {
    **dict.fromkeys(("clock_ahead", "clock_behind"), 8.0),
    "kill_work_again_and_again": 12.0,
    **dict.fromkeys(("freeze_work", "hold_locks", "stop_workers_gently"), 6.0),
    **dict.fromkeys((kind for kind in KINDS if kind.startswith("die_")), 7.0),
}
USUALLY = 3.0


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run is: faults one at a time with a pause after each, then a storm of several at once."""

    faults: int
    pause: float
    storm: float  # seconds
    storm_faults: int
    drain: float  # seconds to get over it
    rates: tuple[float, float] = (2.0, 4.0)  # canaries and other journeys a second
    throughput: bool = False  # whether to measure it, after the storm


QUICK = Length(faults=8, pause=7.5, storm=10.0, storm_faults=4, drain=45.0)
FULL = Length(faults=len(KINDS), pause=7.0, storm=45.0, storm_faults=20, drain=90.0, throughput=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, before any of it is."""

    seed: str
    seconds: float
    faults: list[Broken]
    journeys: list[Journey]
    slots: list[Slot]

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.seconds:.0f} s of traffic, {len(self.journeys)} journeys", "", "Faults"]
        lines += [f"  {one.at:7.2f} s  {one.kind}" for one in self.faults]
        return "\n".join([*lines, "", "Journeys", *(f"  {journey}" for journey in self.journeys)])


def make_plan(seed: str, length: Length) -> Plan:
    """The plan of a seed."""
    dice = random.Random(f"faults {seed}")
    kinds = _kinds(dice, length.faults)
    at, faults = CALM, []
    for kind in kinds:
        faults.append(Broken(kind, at))
        at += LASTS.get(kind, USUALLY) + length.pause
    storm = sorted(dice.uniform(0, length.storm) for _ in range(length.storm_faults))
    faults += [Broken(dice.choice(list(KINDS)), at + later, alone=False, owed=False) for later in storm]
    seconds = at + length.storm + CALM
    journeys = planned(seed, seconds, TENANTS, length.rates)
    journeys += crowds(seed, len(journeys), seconds, TENANTS)
    steady = slots(seconds + REST) if length.throughput else []
    faults += [Broken(slot.kind, slot.begins + BREAKS_AT, alone=False) for slot in steady]
    if steady:
        journeys += canaries(seed, len(journeys), (seconds + REST, len(steady) * SLOT_LASTS), TENANTS, RATE)
        seconds = steady[-1].begins + SLOT_LASTS
    return Plan(seed, seconds, faults, journeys, steady)


def _kinds(dice: random.Random, count: int) -> list[str]:
    """So many kinds in random order: those that every run has, then the others, in rounds."""
    kinds: list[str] = []
    others = [kind for kind in KINDS if kind not in ALWAYS]
    dice.shuffle(others)
    queue = [*ALWAYS, *others]
    while len(kinds) < count:
        kinds += queue[: count - len(kinds)]
        queue = dice.sample(list(KINDS), len(KINDS))
    dice.shuffle(kinds)
    return kinds
