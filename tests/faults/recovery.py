"""How soon the service moved again after each fault, measured on the canaries: a start by REST, a mail that arrived.

Of those that began after it the first counts, and of those that were under way when it hit them the last.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.faults.chaos import Broken
from tests.faults.facts import RunRow

#: seconds within which the service must move again after a fault of the kind was mended; 15 s where none is named
TARGETS = {"kill_postgres": 10.0, "kill_postgres_again_and_again": 10.0, "restart_postgres": 10.0}
TARGET = 15.0
#: kinds for which the page of promises names a time: a run that planned one and could not measure it has shown nothing
PROMISED = ("flush_broker", "kill_all_workers", "kill_postgres")
#: kinds that lose what runs under way live on: their nudges, their workers, the transaction that they were in
LOSING = {
    *("flush_broker", "kill_broker", "kill_broker_again_and_again", "broker_away", "kill_all_workers"),
    *("kill_postgres", "kill_postgres_again_and_again", "restart_postgres"),
}


@dataclass(frozen=True, slots=True)
class Recovery:
    """One kind of fault: the times until a canary that began after each had ended, and why others have no time.

    `under_way` are the times until those had ended that it met on their way.
    """

    kind: str
    seconds: Sequence[float]  # in ascending order
    unmeasured: Sequence[str] = ()
    under_way: Sequence[float] = ()

    @property
    def longest(self) -> float:
        """The longest; 0 when none was measured."""
        return max((*self.seconds, *self.under_way), default=0.0)

    @property
    def late(self) -> bool:
        """Whether it took longer than promised."""
        return self.longest > TARGETS.get(self.kind, TARGET)

    @property
    def is_missing(self) -> bool:
        """Whether a promised time could not be measured."""
        return self.kind in PROMISED and not self.seconds

    def __str__(self) -> str:
        missed = ", ".join(f"not measured: {why}" for why in self.unmeasured)
        if not self.seconds:
            return f"{self.kind:<22} {missed}"
        typical = self.seconds[len(self.seconds) // 2]
        times = f"{len(self.seconds)} times" if len(self.seconds) > 1 else "once"
        told = f"{self.kind:<22} {max(self.seconds):5.1f} s at most, {typical:5.1f} s typically, {times}"
        if self.under_way:
            told += f"; {len(self.under_way)} under way, {max(self.under_way):.1f} s at most"
        return f"{told}; {missed}" if missed else told


def recoveries(faults: Sequence[Broken], runs: Sequence[RunRow]) -> list[Recovery]:
    """One line for each kind that was to be measured, slowest first. None is left out."""
    canaries = sorted(
        (run.created_at.timestamp(), run.finished_at.timestamp())
        for run in runs
        if run.kind == "canary" and run.finished_at is not None
    )
    found: dict[str, list[float]] = defaultdict(list)
    under_way: dict[str, list[float]] = defaultdict(list)
    missed: dict[str, list[str]] = defaultdict(list)
    for fault in (one for one in faults if one.alone):
        moved = [ended - fault.mended for started, ended in canaries if started >= fault.mended]
        if fault.happened and fault.mended and moved:
            found[fault.kind].append(min(moved))
            under_way[fault.kind] += _under_way(fault, faults, canaries) if fault.kind in LOSING else []
        else:
            missed[fault.kind].append(_why_not(fault))
    lines = [
        Recovery(kind, sorted(found[kind]), missed[kind], sorted(under_way[kind]))
        for kind in dict.fromkeys([*found, *missed])
    ]
    return sorted(lines, key=lambda line: -line.longest)


def _under_way(fault: Broken, faults: Sequence[Broken], canaries: Sequence[tuple[float, float]]) -> list[float]:
    """How long those took that were under way when it was mended, without the time in which others broke something."""
    return [
        _quiet(fault.mended, ended, [other for other in faults if other is not fault])
        for started, ended in canaries
        if started < fault.mended < ended
    ]


def _quiet(since: float, until: float, faults: Sequence[Broken]) -> float:
    """For how many of these seconds none of them went on."""
    quiet, at = 0.0, since
    for began, mended in sorted((fault.began, fault.mended or until) for fault in faults if fault.began):
        quiet += max(0.0, min(began, until) - at)
        at = max(at, min(mended, until))
    return quiet + until - at


def _why_not(fault: Broken) -> str:
    if not fault.happened:
        return "it never happened"
    return "no canary that began after it has ended" if fault.mended else "it was never mended"


def untried(faults: Sequence[Broken], lines: Sequence[Recovery], *, busy: bool = False) -> Iterator[str]:
    """What a run set out to show and did not: faults that never happened, promised times that nobody measured.

    What a `busy` machine did not come to in time is `too_slow`.
    """
    yield from (_told(fault) for fault in faults if _is_untried(fault) and not (busy and fault.gave_up))
    for line in lines:
        if line.is_missing:
            yield f"{line.kind}: how soon it moved again is promised, and was not measured"


def too_slow(faults: Sequence[Broken]) -> Iterator[str]:
    """What a machine that had other work to do did not come to: nothing is known of it, and nothing is wrong."""
    yield from (
        f"{_told(fault)} (the machine was too busy)" for fault in faults if _is_untried(fault) and fault.gave_up
    )


def _is_untried(fault: Broken) -> bool:
    return fault.owed and not fault.happened


def _told(fault: Broken) -> str:
    return f"{fault.kind}: planned at {fault.at:.0f} s, and it never happened{fault.note and f': {fault.note}'}"
