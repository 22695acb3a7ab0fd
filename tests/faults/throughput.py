"""How soon the service carries again what it carried before each of five faults, measured at capacity.

Windows are of one length, one after the other. The measure for a fault are all windows before it in which nothing was
broken: those at the beginning, and those that follow each recovery. Four alone are too few to tell a loss from the
machine's own ups and downs, and if each fault were compared with the one before, each could lose a little. What other
programs took of the cores meanwhile was not there to be used: a rate is that of all cores. A service that leaves them
idle, or that wastes them, has a lower one.
"""

import random
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.faults.capacity import Callers, Meter
from tests.faults.chaos import Broken, Fault, World
from tests.faults.ground import Ground

KINDS = ("restart_postgres", "terminate_backends", "take_all_connections", "kill_work", "kill_work_again_and_again")
LEAST = 0.95
WITHIN = 60.0  # seconds from when the fault was mended to the end of the first window that carries as much, to stay
WINDOW = 4.0  # seconds
STEADY = 4  # windows before each fault, and after each recovery
HALVES = 2  # windows with half of the callers
SATURATED = 1.15  # twice the callers carry at most so many times as much, or it was no capacity
WARM_UP = 6.0  # seconds
STARTS_WITHIN = 40.0  # seconds, all processes

Windows = Generator[float, None, list[float]]


@dataclass(frozen=True, slots=True)
class Carried:
    """Runs a second in the windows before a fault, and in those after it was mended."""

    kind: str
    before: Sequence[float]
    after: Sequence[float]

    @property
    def usual(self) -> float:
        """What it carried before."""
        return median(self.before)

    @property
    def noise(self) -> float:
        """By which share a window before it differed from their middle at most, though nothing was broken."""
        return max(abs(rate - self.usual) for rate in self.before) / self.usual

    @property
    def back(self) -> int | None:
        """Which window was the first to carry as much as promised, with as much in those that follow it."""
        for number, rate in enumerate(self.after[: int(WITHIN / WINDOW)]):
            then = self.after[number + 1 :][:STEADY]
            if len(then) == STEADY and min(rate, median(then)) >= LEAST * self.usual:
                return number
        return None

    @property
    def steady(self) -> Sequence[float]:
        """The windows when it was back, or the last ones."""
        return self.after[-STEADY:] if self.back is None else self.after[self.back + 1 :][:STEADY]

    @property
    def is_measured(self) -> bool:
        """Whether it is back, or the time for it is over."""
        return self.back is not None or len(self.after) * WINDOW >= WITHIN + STEADY * WINDOW

    def __str__(self) -> str:
        back = "not back" if self.back is None else f"back within {(self.back + 1) * WINDOW:2.0f} s"
        then, first = median(self.steady) / self.usual, self.after[0] / self.usual
        told = f"{self.kind:<26} {self.usual:5.1f}/s before (±{self.noise:.0%}), {back}, then {then:4.0%}"
        return told if self.back == 0 else f"{told}, at first {first:.0%}"


def undisturbed(before: Sequence[float], one: Carried) -> Sequence[float]:
    """The windows in which nothing was broken, with those after one more recovery, if it was one."""
    return before if one.back is None else [*before, *one.steady]


@dataclass(slots=True)
class Throughput:
    """The measurement, in the middle of it or done."""

    ground: Ground
    callers: Callers
    seed: str
    kinds: Mapping[str, Callable[[World], Fault]]
    carried: list[Carried] = field(default_factory=list)
    faults: list[Broken] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    halves: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    told: str = ""

    def carry_out(self, asked: Sequence[str], tell: Callable[[str], None]) -> Fault:
        """All windows and faults, one after the other."""
        tell("Throughput at capacity: the processes start again, without a proxy before the servers")
        yield from self._leave_out_links()
        self.callers.start()
        yield WARM_UP
        self.halves = yield from self._windows(HALVES)
        self.callers.join_all()
        yield WARM_UP
        meter = Meter()
        before = self.whole = yield from self._windows(STEADY)
        self.told = "of the cores {:.0%} this run, {:.0%} of it this command, {:.0%} others".format(*meter.shares)
        tell(f"      {median(before):.1f} runs a second before any fault; {self.told}")
        for kind in asked:
            yield from self._break(kind)
            one = yield from self._until_back(kind, before)
            self.carried.append(one)
            tell(f"      {one}")
            before = undisturbed(before, one)

    def lines(self) -> Iterator[str]:
        """For the report."""
        if not self.whole:
            return
        whole, halves = median(self.whole), median(self.halves)
        yield f"{whole:.1f} runs a second at capacity, {halves:.1f} with half of the callers; {self.told}"
        yield from (f"{one}{'   TOO LITTLE' if one.back is None else ''}" for one in self.carried)

    def wrong(self) -> Iterator[str]:
        """What breaks the promise."""
        yield from (f"throughput: {one}" for one in self.carried if one.back is None)

    def untried(self) -> Iterator[str]:
        """Why it was no capacity, if it was none."""
        if self.whole and (whole := median(self.whole)) > SATURATED * (halves := median(self.halves)):
            yield f"throughput at capacity: {whole:.1f}/s with all callers, and {halves:.1f}/s with half of them"

    def _leave_out_links(self) -> Fault:
        """A proxy of Python would be what bounds the load."""
        assert self.ground.supervisor
        children = [watched.child for watched in self.ground.supervisor.watched]
        pids = [child.pid for child in children]
        self.ground.leave_out_links()
        ends_at = time.monotonic() + STARTS_WITHIN
        while time.monotonic() < ends_at:
            yield 0.2
            is_new = all(child.is_running and child.pid != pid for child, pid in zip(children, pids, strict=True))
            if is_new and self.ground.calls.once("GET", "/readyz", timeout=2).status == 200:
                return

    def _break(self, kind: str) -> Fault:
        broken = Broken(kind, time.time() - self.callers.began, alone=False, began=time.time())
        self.faults.append(broken)
        world = World(self.ground, random.Random(f"{self.seed} {kind}"), broken)
        yield from self.kinds[kind](world)
        broken.mended = time.time()
        self.kills.update(world.kills)

    def _until_back(self, kind: str, before: Sequence[float]) -> Generator[float, None, Carried]:
        """Windows from now on until it is back, or was not in time."""
        after = yield from self._windows(1 + STEADY)
        while not (one := Carried(kind, before, after)).is_measured:
            after += yield from self._windows(1)
        return one

    def _windows(self, count: int) -> Windows:
        """Runs a second in so many windows from now on."""
        rates: list[float] = []
        for _ in range(count):
            since, meter = time.time(), Meter()
            yield WINDOW
            until, others = time.time(), meter.shares[-1]
            while (ended := self.callers.ended(since, until)) is None:
                yield 0.1
            rates.append(ended / (until - since) / max(1 - others, 0.1))
        return rates
