"""What the rows of a run's work say, held against what its trace tells of the same: how steps ended, and each try.

Only what a trace tells for certain is judged; `docs/evidence.md` names what it says nothing about. Resends are not told
to the run, so they are not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from workflows.models.step_run import StepRunStatus
from workflows.standing import instant
from workflows.steps.base import UNKNOWN, WorkKind
from workflows.steps.registry import kinds
from workflows.told_work import Place, ToldWork, Try, status_of

# Of a run `r`, as JSON: the columns of `Work`, whose last is an array of those of `Try`.
WORKS = """(
    SELECT jsonb_agg(jsonb_build_array(s.step, s.visit, s.undo > 0, s.kind, s.status, s.outcome, s.finished_at, (
        SELECT jsonb_agg(jsonb_build_array(a.number, a.status, a.outcome, a.error, a.finished_at, a.retry_at))
          FROM workflows_attempt a WHERE a.tenant_id = s.tenant_id AND a.step_run_id = s.id)))
      FROM workflows_steprun s WHERE s.tenant_id = r.tenant_id AND s.run_id = r.id AND s.resend = 0)"""
_OPEN = {StepRunStatus.OWED, StepRunStatus.RUNNING}
_ENDED = {StepRunStatus.SUCCEEDED, StepRunStatus.FAILED, StepRunStatus.UNKNOWN}


@dataclass(slots=True)
class Work:
    """One visit of a step, or its compensation, as it is stored."""

    step: str
    visit: int
    is_undoing: bool
    kind: str
    status: str
    outcome: str
    finished_at: datetime | None
    tries: Mapping[int, Try]

    @property
    def place(self) -> Place:
        """Which of the run's."""
        return self.step, self.visit, self.is_undoing

    @property
    def hears_later(self) -> bool:
        """Whether something may become known of it after its run has ended. Newer code may owe other kinds."""
        kind = kinds().get(self.kind)
        return not isinstance(kind, WorkKind) or kind.hears_later


def works(stored: Sequence[Sequence[Any]] | None) -> list[Work]:
    """What `WORKS` brought."""
    return [_work(*one) for one in stored or ()]


def _work(
    step: str, visit: int, is_undoing: bool, kind: str, status: str, outcome: str, finished_at: Any, tries: Any
) -> Work:
    found = {
        number: Try(number, status, outcome, error, instant(ended), instant(retry))
        for number, status, outcome, error, ended, retry in tries or ()
    }
    return Work(step, visit, is_undoing, kind, status, outcome, instant(finished_at), found)


def work_at_odds(stored: Sequence[Work], told: ToldWork) -> Iterator[str]:
    """What the rows say otherwise than the trace."""
    if told.garbled:
        yield f"Line {told.garbled} tells of work in words that no line has."
    by_place = {one.place: one for one in stored}
    for place in {*told.owed, *told.ends, *(place for place, _ in told.tries)} - by_place.keys():
        if place[1]:  # somebody's word about a step that the run had left does not say which visit
            yield f"{_name(place)} is not there; the trace tells of it."
    for work in stored:
        yield from _end_at_odds(work, told)
    for (place, number), said in told.tries.items():
        if place in by_place:
            yield from _try_at_odds(place, by_place[place].tries.get(number), said)


def _end_at_odds(work: Work, told: ToldWork) -> Iterator[str]:
    if work.status in _OPEN and work.finished_at is not None:
        yield f"{_name(work.place)} is {work.status} and has an end."
    word = told.ends.get(work.place)
    if told.ended_at is not None and (work.hears_later or told.is_undone or word == UNKNOWN):
        return  # what became known since is told to nobody
    if (work.step, 0, False) in told.ends:
        return
    if word is not None:
        stored, said = (work.status, work.outcome), (status_of(work.place, word), word)
        if stored != said:
            yield f"{_name(work.place)} is stored as {' '.join(stored)}; the trace gives {' '.join(said)}."
        elif work.finished_at not in told.times[work.place]:
            yield f"{_name(work.place)} is stored as finished at {work.finished_at}; the trace tells of another time."
    elif work.status in _ENDED and not work.is_undoing and not _is_over(work, told):
        yield f"{_name(work.place)} is stored as {work.status} {work.outcome}; no line of the trace tells of it."


def _is_over(work: Work, told: ToldWork) -> bool:
    """Whether it ended when its run had: then nobody is told."""
    return told.ended_at is not None and work.finished_at is not None and work.finished_at >= told.ended_at


def _try_at_odds(place: Place, stored: Try | None, said: Try) -> Iterator[str]:
    name = f"attempt {said.number} at {_name(place)}"
    if stored is None:
        yield f"{name} is not there; the trace tells of it."
        return
    for column in ("status", "outcome", "error", "finished_at", "retry_at"):
        is_, told = getattr(stored, column), getattr(said, column)
        if is_ != told and told is not None:
            yield f"{column} of {name} is stored as {is_}; the trace gives {told}."


def _name(place: Place) -> str:
    return f"{'compensation of ' if place[2] else ''}{place[0]} #{place[1]}"
