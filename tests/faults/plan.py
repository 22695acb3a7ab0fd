"""The plan of a run: which journeys when, and which faults when. The same seed and length give the same plan."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.faults.chaos import KINDS, Broken
from tests.faults.chaos.broker import AWAY, BROKER_KILLS, FLUSHES
from tests.faults.chaos.database import LOCKED, POSTGRES_KILLS
from tests.faults.chaos.processes import KILLS
from tests.faults.chaos.world import share
from tests.faults.crowds import crowds
from tests.faults.journeys import Journey
from tests.faults.scripts import planned
from tests.faults.throughput import KINDS as AT_CAPACITY

TENANTS = 3  # and one with a limit, which comes last
ALWAYS = (
    "flush_broker",
    "kill_all_workers",
    "kill_postgres",
    "die_before_finish",
    "freeze_work",
)  # also in a quick run
THROUGHPUT = "throughput"
ONLY, ONLY_PAUSE = 5, 7.0  # how often one fault is tried alone, and seconds after each
CALM = 4.0  # seconds of traffic before the first fault and after the last


#: seconds that a fault takes until it is mended, where it is not over at once
LASTS = {
    **dict.fromkeys(("clock_ahead", "clock_behind"), 8.0),
    "kill_sweepers": 6.0,
    "kill_work_again_and_again": 9.0,
    "freeze_work": 14.0,
    "stop_workers_gently": 6.0,
    **dict.fromkeys((kind for kind in KINDS if kind.startswith("die_")), 7.0),
}
USUALLY = 3.0


def lasts(kind: str, many: float) -> float:
    """About how many seconds a fault takes, where there is time for such a share of it."""
    counted = {
        "kill_loop": 1.2 * share(many, KILLS),
        "kill_broker_again_and_again": 1.3 * share(many, BROKER_KILLS),
        "flush_broker": 3.0 * (share(many, FLUSHES) - 1),
        "broker_away": 1.0 + share(many, AWAY),
        "kill_postgres_again_and_again": 4.0 * share(many, POSTGRES_KILLS),
        "hold_locks": max(6.0, share(many, LOCKED)),
    }
    return counted.get(kind, LASTS.get(kind, USUALLY))


@dataclass(frozen=True, slots=True)
class Length:
    """How long a run is: faults one at a time with a pause after each, then a storm of several at once."""

    faults: int
    pause: float
    storm: float  # seconds
    storm_faults: int
    drain: float  # seconds to get over it
    rates: tuple[float, float] = (2.0, 4.0)  # canaries and other journeys a second
    many: float = 0.2  # which share of the two hundred kills, of the minute for which a lock is held, and so on
    throughput: bool = False  # whether to measure it at capacity, after the storm
    within: float = 0.0  # seconds that all of it may take; 0 where none are promised


QUICK = Length(faults=8, pause=7.0, storm=10.0, storm_faults=4, drain=60.0, many=0.05, within=180.0)
FULL = Length(faults=len(KINDS), pause=5.0, storm=40.0, storm_faults=20, drain=120.0, throughput=True, within=900.0)
LONG = Length(faults=len(KINDS), pause=7.0, storm=90.0, storm_faults=40, drain=180.0, many=1.0, throughput=True)


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be done, before any of it is."""

    seed: str
    seconds: float
    faults: list[Broken]
    journeys: list[Journey]
    at_capacity: Sequence[str] = ()  # faults after which throughput is measured, when the rest is over

    def __str__(self) -> str:
        lines = [f"seed {self.seed}, {self.seconds:.0f} s of traffic, {len(self.journeys)} journeys", "", "Faults"]
        lines += [f"  {one.at:7.2f} s  {one.kind}" for one in self.faults]
        lines += [f"  at capacity  {kind}" for kind in self.at_capacity]
        return "\n".join([*lines, "", "Journeys", *(f"  {journey}" for journey in self.journeys)])


def make_plan(seed: str, length: Length) -> Plan:
    """The plan of a seed."""
    dice = random.Random(f"faults {seed}")
    kinds = _kinds(dice, length.faults)
    at, faults = CALM, []
    for kind in kinds:
        faults.append(Broken(kind, at))
        at += lasts(kind, length.many) + length.pause
    storm = sorted(dice.uniform(0, length.storm) for _ in range(length.storm_faults))
    faults += [Broken(dice.choice(list(KINDS)), at + later, alone=False, owed=False) for later in storm]
    seconds = at + length.storm + CALM
    journeys = planned(seed, seconds, TENANTS, length.rates)
    journeys += crowds(seed, len(journeys), seconds, TENANTS)
    return Plan(seed, seconds, faults, journeys, AT_CAPACITY if length.throughput else ())


def plan_of_one(seed: str, name: str, many: float) -> Plan:
    """One kind of fault again and again, or nothing but throughput."""
    if name == THROUGHPUT:
        return Plan(seed, 0.0, [], [], AT_CAPACITY)
    every = lasts(name, many) + ONLY_PAUSE
    faults = [Broken(name, CALM + number * every) for number in range(ONLY)]
    seconds = CALM + ONLY * every
    return Plan(seed, seconds, faults, planned(seed, seconds, TENANTS, FULL.rates))


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
