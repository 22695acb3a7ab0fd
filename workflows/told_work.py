"""What the lines of a trace tell of a run's work: how visits of steps ended, and each try.

A line that was tampered with may tell anything: it is found by its hash, and must not stop whoever reads it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from workflows.digests.output import REMOVED
from workflows.models.step_run import AttemptStatus, StepRunStatus
from workflows.standing import TimedLine, ends_the_run, instant
from workflows.states import UNDOING, Reason
from workflows.steps.base import HELD, UNKNOWN
from workflows.store import undoing
from workflows.store.rows import status_after

LONGEST_ERROR = 200
QUARANTINED = "quarantined"
_SETTLED = {Reason.STEP_SETTLED, Reason.OUTCOME_NOTED, Reason.UNKNOWN_OUTCOME}
_UNDONE = {Reason.COMPENSATED, Reason.COMPENSATION_FAILED, Reason.COMPENSATION_UNKNOWN}

Place = tuple[str, int, bool]  # step, visit, and whether it is the compensation of that visit


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt. What is None was not told."""

    number: int
    status: str
    outcome: str | None
    error: str | None
    finished_at: datetime | None
    retry_at: datetime | None


@dataclass(slots=True)
class ToldWork:
    """What the lines told of work so far."""

    ends: dict[Place, str] = field(default_factory=dict)  # the last word of each
    times: dict[Place, set[datetime]] = field(default_factory=dict)  # at which a word was told
    tries: dict[tuple[Place, int], Try] = field(default_factory=dict)
    owed: set[Place] = field(default_factory=set)  # at some time
    ended_at: datetime | None = None  # the run
    is_undone: bool = False
    garbled: int = 0  # a line that tells of work in no words of ours

    def take(self, line: TimedLine) -> None:
        """Note what the next line tells. One that was tampered with may tell anything."""
        try:
            self._take(line)
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            self.garbled = line.seq

    def _take(self, line: TimedLine) -> None:
        context = line.context if isinstance(line.context, Mapping) else {}
        reason, place = line.reason, _place(line, context)
        self.is_undone = self.is_undone or reason in UNDOING
        if ends_the_run(line):
            self.ended_at = line.occurred_at
        if reason in _SETTLED or reason in _UNDONE:
            self._ends(place, context.get("outcome"), context, line)
        elif reason == Reason.OUTCOME_HELD:
            self._held(context, line)
        elif reason == Reason.STEP_QUARANTINED:
            self._ends(place, QUARANTINED, {}, line)
        elif reason == Reason.STEP_OWED:
            self.ends.pop(place, None)
            self.owed.add(place)
        elif reason == Reason.COMPENSATION_OWED:  # what failed is owed again
            again = [
                one for one, word in self.ends.items() if one[2] and status_of(one, word) != StepRunStatus.SUCCEEDED
            ]
            self.ends = {one: word for one, word in self.ends.items() if one not in again}
        elif reason == Reason.COMPENSATION_NEEDLESS:
            self.ends.pop((place[0], place[1], True), None)
        elif reason in (Reason.RETRY_SCHEDULED, Reason.WORK_HELD, Reason.ATTEMPT_LOST):
            self._tried(place, context, line)

    def _ends(self, place: Place, word: Any, context: Mapping[str, Any], line: TimedLine) -> None:
        self.ends[place] = str(word)
        self.times.setdefault(place, set()).add(line.occurred_at)
        self._tried(place, context, line)

    def _held(self, context: Mapping[str, Any], line: TimedLine) -> None:
        """What a paused run was told last; it is told again when the run goes on."""
        last = context["outcomes"][-1]
        place = last["step"], last["visit"], False
        word = QUARANTINED if "failed" in last else last["outcome"]
        self._ends(place, word, last.get("context") or last.get("unknown") or {}, line)

    def _tried(self, place: Place, context: Mapping[str, Any], line: TimedLine) -> None:
        number, word = context.get("attempt"), context.get("outcome")
        if number is None or word == QUARANTINED:  # its attempts were told as lost
            return
        status, error, at = AttemptStatus.FINISHED, context.get("error", "")[:LONGEST_ERROR], line.occurred_at
        if line.reason == Reason.ATTEMPT_LOST:
            status, word, error, at = AttemptStatus.LOST, UNKNOWN, "lease_expired", instant(context["lost_at"]) or at
        elif line.reason == Reason.WORK_HELD:
            word = HELD
        elif word == UNKNOWN and error == "lease_expired":
            status = AttemptStatus.LOST
        retry_at = instant(context.get("retry_at"))
        told = Try(number, status, None if word == "retries_exhausted" else word, error, at, retry_at)
        self.tries.setdefault((place, number), told)


def _place(line: TimedLine, context: Mapping[str, Any]) -> Place:
    """Of which visit a line tells: where the run stands, or another one that the line names."""
    _, step, visit = (*line.cause_ref.split(":"), "", "", "")[:3]
    of = int(visit) if visit.isdigit() else 0
    if "compensates" in context:
        return context["compensates"], context.get("visit", of), True
    if line.reason in (Reason.OUTCOME_NOTED, Reason.RETRY_SCHEDULED, Reason.WORK_HELD, Reason.ATTEMPT_LOST):
        return step or context.get("of", ""), of, False
    return line.step, line.visit, False


def status_of(place: Place, word: str) -> str:
    """The status that a word gives the row of a visit, or of its compensation."""
    if word == REMOVED:
        return StepRunStatus.CANCELLED
    return str(undoing.status_after(word) if place[2] else status_after(word))
