"""What a run did and how that is undone: its visits and compensations as rows, and which of them are left to undo."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tenants.sql import fetch
from workflows.definitions.document import Document
from workflows.models.step_run import StepRunStatus
from workflows.states import RunState
from workflows.steps.base import UNKNOWN, WorkKind
from workflows.steps.registry import kinds

SUPPRESSED = "suppressed"
OWED, RUNNING, SUCCEEDED, FAILED, CANCELLED = (
    StepRunStatus.OWED.value,
    StepRunStatus.RUNNING.value,
    StepRunStatus.SUCCEEDED.value,
    StepRunStatus.FAILED.value,
    StepRunStatus.CANCELLED.value,
)
# The lock keeps claims away: what is owed now cannot begin between this look and the end of the run.
_VISITS = """
SELECT id, run_id, step, visit, undo, status, outcome, due_at, finished_at, attempts_made, kind,
       maybe_done OR lost_attempts > 0
  FROM workflows_steprun
 WHERE tenant_id = %s AND run_id = ANY(%s) AND resend = 0 ORDER BY run_id, id {lock}
"""


@dataclass(slots=True)
class Visit:
    """One step run of a run. `undo` is 0 for a visit of a step, else the place of a compensation in their order.

    `is_doubtful`: a try of it may have taken effect, whatever its outcome, or its worker was lost.
    """

    id: int
    run_id: int
    step: str
    visit: int
    undo: int
    status: str
    outcome: str
    due_at: datetime | None
    finished_at: datetime | None
    attempts_made: int
    kind: str = ""
    is_doubtful: bool = False

    @property
    def place(self) -> tuple[str, int]:
        """The visit it is, or that it undoes."""
        return self.step, self.visit

    @property
    def took_effect(self) -> bool:
        """Whether it was seen to do what it is for. What was suppressed did nothing."""
        return self.status == SUCCEEDED and self.outcome != SUPPRESSED

    @property
    def acts(self) -> bool:
        """Whether a try of its kind does anything outside."""
        known = kinds().get(self.kind)
        return not isinstance(known, WorkKind) or known.acts

    @property
    def may_have(self) -> bool:
        """Whether it has ended, nobody saw that it did what it is for, and it may have done it all the same."""
        if self.took_effect or self.status == RUNNING or not self.acts:
            return False
        return self.status == UNKNOWN or self.is_doubtful

    @property
    def is_under_way(self) -> bool:
        """Whether a worker may take it, or has it: the next one waits for its end."""
        return self.status == RUNNING or (self.status == OWED and self.due_at is not None)

    def waits_for_word(self, document: Document) -> bool:
        """Whether it is undone only once somebody says that it took effect."""
        if self.took_effect or not (self.may_have or self.status == UNKNOWN):
            return False
        step = document.by_key.get(self.step)  # of another version there may be no such step
        if step is None or step.compensation is None:
            return False
        return not self.may_have or step.compensation.config.get("unsure") == "settle"


def visits_of(tenant_id: int, run_ids: Iterable[int], *, lock: bool = False) -> dict[int, list[Visit]]:
    """The visits and compensations of these runs, by run."""
    statement = _VISITS.format(lock="FOR NO KEY UPDATE" if lock else "")
    found: dict[int, list[Visit]] = {}
    for row in fetch(statement, [tenant_id, list(run_ids)]):
        found.setdefault(row[1], []).append(Visit(*row))
    return found


def undoable(document: Document, visits: Sequence[Visit]) -> list[Visit]:
    """What asking for compensation would make owed: visits not yet undone, last first, and compensations that failed.

    A visit in flight or of unknown outcome counts: what became of it decides later whether it is undone.
    """
    return [*fresh(document, visits), *(one for one in visits if one.undo and one.status == FAILED)]


def fresh(document: Document, visits: Sequence[Visit]) -> list[Visit]:
    """The visits that took effect or may have, and that nothing undoes yet: in flight first, then the last first."""
    done = {one.place for one in visits if one.undo}
    found = [
        one
        for one in visits
        if not one.undo
        and one.step in document.compensating
        and one.place not in done
        and (one.took_effect or one.may_have or one.status in (RUNNING, UNKNOWN))
    ]
    return sorted(found, key=_end, reverse=True)


def after_all(document: Document, visits: Sequence[Visit]) -> list[Visit]:
    """What to undo of visits that turned out to have taken effect after all, the last first.

    They are fresh, or compensations that were thought to be needless.
    """
    ends = {one.place: one for one in visits if not one.undo}
    needed = [one for one in visits if one.undo and one.status == CANCELLED and one.place in ends]
    needed = [one for one in needed if ends[one.place].took_effect]
    return sorted([*fresh(document, visits), *needed], key=lambda one: _end(ends[one.place]), reverse=True)


def is_to_be_undone(state: str, status_context: Mapping[str, Any]) -> bool:
    """Whether a run that ended so is undone without anybody asking: it failed, or was ended with compensation."""
    return state == RunState.FAILED or bool(status_context.get("compensate"))


def named(visits: Sequence[Visit]) -> list[str]:
    """Visits by the keys of their steps; a second visit says so."""
    return [f"{one.step} #{one.visit}" if one.visit > 1 else one.step for one in visits]


def _end(one: Visit) -> tuple[bool, float, int]:
    return one.finished_at is None, one.finished_at.timestamp() if one.finished_at else 0, one.id
