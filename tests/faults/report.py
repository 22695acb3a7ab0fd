"""What a run of `bin/prove` says at its end, and the list of what it did not look at."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.faults.beginning import Beginning, cores
from tests.faults.chaos import KINDS
from tests.faults.checker import Verdict
from tests.faults.recovery import TARGET, TARGETS, Recovery
from tests.faults.table import not_verified
from tests.faults.throughput import LEAST, WINDOW, WITHIN

REPEATED = "messages, under the same key, as attempts of unknown end tell"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is printed."""

    seed: str
    operations: int
    statuses: Mapping[int, int]
    kills: Mapping[str, int]
    happened: Mapping[str, int]  # how often each kind of fault did
    recoveries: Sequence[Recovery]
    throughput: Sequence[str]
    verdict: Verdict
    notes: Sequence[str]
    seconds: float
    load: float  # of the machine when it began
    upgrade: Sequence[str] = ()  # what came of an upgrade under load
    left_out: Sequence[str] = ()  # what this run could not try, and why
    within: float = 0.0  # seconds that a run of this length may take; 0 where none are promised

    def figures(self) -> Iterator[str]:
        """What was measured, as `docs/reliability.md` has it of the last run."""
        yield f"seed          {self.seed}"
        yield f"operations    {self.operations} accepted; answers {_counted(self.statuses)}"
        yield f"broken        {_counted(self.kills)}"
        yield f"faults        {_counted(self.happened)}"
        promised = f"; at most {self.within:.0f} s are promised" if self.within else ""
        yield f"took          {self.seconds:.0f} s on {cores()} cores{promised}"
        if self.load >= cores():
            yield f"              The machine had other work (load {self.load:.1f}): times are not judged."
        yield from self._recoveries()
        yield from self._throughput()
        if self.upgrade:
            yield ""
            yield "An upgrade while clients went on, with old and new code side by side"
            yield from (f"  {text}" for text in self.upgrade)
            yield ""
        yield from (f"  {note}" for note in self.notes)

    def ended(self, began: Beginning, within: float) -> "Report":
        """With the seconds that the command took from its beginning until now, judged as other times are."""
        told = replace(self, seconds=began.seconds, within=within)
        if not within or told.seconds <= within:
            return told
        late = f"the run took {told.seconds:.0f} s, and at most {within:.0f} s are promised"
        if began.busy:
            return replace(told, left_out=[*told.left_out, late])
        told.verdict.violations.append(late)
        return told

    def lines(self) -> Iterator[str]:
        """The report."""
        yield ""
        yield from self.figures()
        yield ""
        found = (
            ("lost", self.verdict.lost),
            ("doubled", self.verdict.doubled),
            ("stuck", self.verdict.stuck),
            ("violations", self.verdict.violations),
            ("not tried", self.verdict.untried),
        )
        for name, texts in found:
            yield f"{name:<13} {len(texts)}"
            yield from (f"  {text}" for text in texts[:20])
        yield f"{'repeated':<13} {self.verdict.repeated} {REPEATED}"
        yield ""
        yield "Not verified"
        yield from (f"  {text}" for text in not_verified(self.happened))
        yield from (f"  in this run: {text}" for text in self.left_out)
        if missed := [kind for kind in KINDS if kind not in self.happened]:
            yield f"  in this run: {', '.join(missed)}"

    def summary(self) -> str:
        """The figures that must be zero, in a line, and the one that need not be."""
        found = {"lost": self.verdict.lost, "doubled": self.verdict.doubled, "stuck": self.verdict.stuck}
        found |= {"violations": self.verdict.violations, "not tried": self.verdict.untried}
        told = ", ".join(f"{name} {len(texts)}" for name, texts in found.items())
        return f"{told}; repeated {self.verdict.repeated} {REPEATED}"

    def _throughput(self) -> Iterator[str]:
        if not self.throughput:
            return
        yield ""
        yield f"Throughput at capacity, in windows of {WINDOW:g} s; promised is {LEAST:.0%} within {WITHIN:g} s"
        yield from (f"  {one}" for one in self.throughput)

    def _recoveries(self) -> Iterator[str]:
        if not self.recoveries:
            return
        yield ""
        yield "Moving again, from the moment that the fault was mended or the process had died, to a mail that arrived"
        for line in self.recoveries:
            target = TARGETS.get(line.kind, TARGET)
            late = f"   LATE: promised within {target:g} s" if line.late else ""
            yield f"  {line}{late}"


def _counted(numbers: Mapping[object, int]) -> str:
    named = {"0": "none"}
    return (
        ", ".join(f"{named.get(str(name), name)} {number}" for name, number in sorted(numbers.items(), key=str))
        or "nothing"
    )
