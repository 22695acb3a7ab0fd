"""Reading what was withheld from somebody by a throttle, or by taking it out of a digest, and why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from workflows.explain.because import CLAUSES
from workflows.models import Digest, DigestItem, StepRun, Transition
from workflows.models.digest import Left
from workflows.models.step_run import StepRunStatus
from workflows.states import Reason
from workflows.store.reasons import replaced, spoken

THROTTLED, REMOVED, RUN_ENDED = "throttled", "digest_item_removed", "run_ended"
_TOLD = (Reason.WORK_HELD, Reason.STEP_SETTLED, Reason.OUTCOME_NOTED)


@dataclass(frozen=True, slots=True)
class Withheld:
    """One visit that left somebody without a message, or lets them wait, in the words of deliveries."""

    row: StepRun
    kind: str  # throttle or digest
    status: str  # planned, suppressed or cancelled
    error: str
    why: str
    rule: str = ""
    until: datetime | None = None
    digest: Digest | None = None
    position: int | None = None

    @property
    def at(self) -> datetime:
        """When the run came to the step."""
        return self.row.created_at


def withheld_from(tenant_id: int, subject: str) -> QuerySet[StepRun]:
    """Visits that left them without a message, or let them wait."""
    return StepRun.objects.filter(tenant_id=tenant_id, withheld_from=subject).select_related("run")


def described(tenant_id: int, rows: Sequence[StepRun]) -> list[Withheld]:
    """What each of these visits is told as. Three statements, however many there are. Needs the tenant's scope."""
    if not rows:
        return []
    told = _told(tenant_id, rows)
    found = DigestItem.objects.filter(tenant_id=tenant_id, step_run_id__in=[row.pk for row in rows])
    items = {item.step_run_id: item for item in found.select_related("digest")}
    return [_described(row, items.get(row.pk), told.get(_place(row))) for row in rows]


def _described(row: StepRun, item: DigestItem | None, line: Transition | None) -> Withheld:
    return _throttled(row, line) if item is None else _taken_out(row, item, line)


_Place = tuple[int, str, int]


def _place(row: StepRun) -> _Place:
    return row.run_id, row.step, row.visit


def _told(tenant_id: int, rows: Sequence[StepRun]) -> dict[_Place, Transition]:
    """The last line of the trace that tells of each visit, with what people said in it."""
    runs = sorted({row.run_id for row in rows})
    lines = Transition.objects.filter(tenant_id=tenant_id, run_id__in=runs, reason__in=_TOLD)
    lines = lines.filter(step__in={row.step for row in rows}).order_by("run_id", "seq")
    found = {(line.run_id, line.step, line.visit): line for line in lines}
    words = spoken(tenant_id, runs, [line.context for line in found.values()])
    for line in found.values():
        line.context = replaced(line.context, words)
    return found


def _throttled(row: StepRun, line: Transition | None) -> Withheld:
    context = line.context if line is not None else {}
    clause = CLAUSES[Reason(line.reason)](row.step, context) if line is not None else f"“{row.step}” is a throttle"
    is_open = row.status in (StepRunStatus.OWED, StepRunStatus.RUNNING)
    if is_open:
        status, error, why = "planned", "", f"Delayed: {clause}."
    elif row.status == StepRunStatus.CANCELLED:
        status, error, why = "cancelled", RUN_ENDED, f"Its run ended while {clause}."
    else:
        status, error, why = "suppressed", THROTTLED, f"Not let through: {clause}."
    rule, until = str(context.get("rule") or ""), row.due_at if is_open else None
    return Withheld(row, "throttle", status, error, why, rule=rule, until=until)


def _taken_out(row: StepRun, item: DigestItem, line: Transition | None) -> Withheld:
    because = line.context.get("why") if line is not None else ""
    name = f"item {item.position} of the digest of “{row.step}”"
    if item.left_why == Left.REMOVED:
        status, error, why = "suppressed", REMOVED, f"somebody took out {name}{f': {because}' if because else ''}"
    else:
        status, error, why = "cancelled", RUN_ENDED, f"its run ended, and took {name} along"
    return Withheld(row, "digest", status, error, f"Not told: {why}.", digest=item.digest, position=item.position)
