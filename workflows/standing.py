"""What the row of a run says besides its state, held against what its trace tells of the same.

Only what a trace tells for certain is judged; `docs/evidence.md` names the columns that it says nothing about.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from workflows.states import TERMINAL, Reason, RunState
from workflows.trace import FoldedState, Line

# Columns for `Standing`, of a run `r`, and the tables that have them. A run has one open wait at most.
STANDING = (
    "r.definition_key, d.key, d.version, r.started_by, r.started_by_ref, r.created_at, r.finished_at, r.due_at, "
    "r.deadline_at, r.suspended_until, r.engine_failures, w.step, w.visit, w.due_at, w.remind_at"
)
STANDS_IN = """
  LEFT JOIN workflows_definition d ON d.tenant_id = r.tenant_id AND d.id = r.definition_id
  LEFT JOIN workflows_wait w ON w.tenant_id = r.tenant_id AND w.run_id = r.id AND w.closed_at IS NULL
"""


class TimedLine(Line, Protocol):
    """What is read of a line besides."""

    @property
    def cause(self) -> str: ...  # noqa: D102
    @property
    def cause_ref(self) -> str: ...  # noqa: D102
    @property
    def occurred_at(self) -> datetime: ...  # noqa: D102


def ends_the_run(line: Line) -> bool:
    """Whether the run came to its end with this line."""
    return line.to_state in TERMINAL and line.from_state not in TERMINAL


@dataclass(frozen=True, slots=True)
class Standing:
    """The columns of `STANDING`."""

    definition_key: str
    follows: str | None  # the key of the definition that it names; None: there is none
    version: int | None
    started_by: str
    started_by_ref: str
    created_at: datetime
    finished_at: datetime | None
    due_at: datetime | None
    deadline_at: datetime | None
    suspended_until: datetime | None
    engine_failures: int
    wait_step: str | None
    wait_visit: int | None
    wait_due_at: datetime | None
    wait_remind_at: datetime | None

    def clock(self, state: str) -> datetime | None:
        """When a run in this state that has begun and not ended wants attention next, as `store.rows.next_clock`."""
        clocks = [self.deadline_at]
        clocks += [self.suspended_until] if state == RunState.PAUSED else [self.wait_due_at, self.wait_remind_at]
        return min((clock for clock in clocks if clock is not None), default=None)


@dataclass(slots=True)
class Told:
    """What the lines told so far, by column. A column that no line told of is not there."""

    columns: dict[str, Any] = field(default_factory=dict)

    def take(self, line: TimedLine) -> None:
        """Note what the next line tells."""
        context = line.context if isinstance(line.context, Mapping) else {}
        if line.seq == 1:
            self._begin(line, context)
        match line.reason:
            case Reason.WAIT_OPENED | Reason.APPROVAL_ASKED:
                self._time("wait_due_at", context, "due_at")
            case Reason.VERSION_CHANGED:
                self._note("version", context, "version_to")
                self._time("wait_due_at", context, "due_at")
            case Reason.DEFINITION_OFF:  # it may repeat the words of a pause that is over, its end among them
                self.columns["suspended_until"] = None
            case Reason.PAUSED:
                self.columns["suspended_until"] = None
                self._time("suspended_until", context, "until")
            case Reason.TIMES_CHANGED:
                self._time("deadline_at", context, "deadline_at")
                self._time("suspended_until", context, "suspended_until")
        if ends_the_run(line):
            self.columns["finished_at"] = line.occurred_at

    def _begin(self, line: TimedLine, context: Mapping[str, Any]) -> None:
        self.columns |= {"started_by": line.cause, "started_by_ref": line.cause_ref, "created_at": line.occurred_at}
        self._note("definition_key", context, "definition")
        self._note("version", context, "version")

    def _note(self, column: str, context: Mapping[str, Any], name: str) -> None:
        if name in context:
            self.columns[column] = context[name]

    def _time(self, column: str, context: Mapping[str, Any], name: str) -> None:
        if name in context:
            self.columns[column] = instant(context[name])


def at_odds(stands: Standing, told: Told, folded: FoldedState, *, is_imported: bool) -> Iterator[tuple[str, bool]]:
    """What the row says otherwise than the trace, as (sentence, whether `repair_run` can mend it)."""
    yield from ((_sentence(*one), False) for one in _untold(stands, told, folded, is_imported))
    if (stands.finished_at is None) == (folded.state in TERMINAL):
        yield _sentence("finished_at", stands.finished_at, "an end" if folded.state in TERMINAL else None), True
    yield from _clocks(stands, told, folded)


def _untold(
    stands: Standing, told: Told, folded: FoldedState, is_imported: bool
) -> Iterator[tuple[str, object, object]]:
    """Columns that a line told of. Where an imported run is, its definition may have another version."""
    parked, paused = _is_parked(folded), folded.state == RunState.PAUSED
    if stands.follows != stands.definition_key:
        yield "definition", stands.follows, stands.definition_key
    for column, said in told.columns.items():
        is_left_out = (
            (column == "version" and (is_imported or stands.version is None))
            or (column == "wait_due_at" and not parked)
            or (column == "finished_at" and stands.finished_at is None)  # that one can be mended
            or (column == "suspended_until" and not paused)
        )
        if not is_left_out and getattr(stands, column) != said:
            yield column, getattr(stands, column), said
    if not paused and stands.suspended_until is not None:
        yield "suspended_until", stands.suspended_until, None
    place = folded.step, folded.visits.get(folded.step)
    if parked and (stands.wait_step, stands.wait_visit) != place:
        yield "open wait", (stands.wait_step, stands.wait_visit), place


def _clocks(stands: Standing, told: Told, folded: FoldedState) -> Iterator[tuple[str, bool]]:
    """A run on which the engine failed was put off: it has some clock, and nobody knows which."""
    state = folded.state
    if state == RunState.PENDING:
        if stands.due_at is None:
            yield _sentence("due_at", None, "a time to begin"), False
        elif folded.status_reason == Reason.CREATED and not stands.engine_failures:
            begins_at = told.columns.get("created_at", stands.due_at)
            if stands.due_at != begins_at:
                yield _sentence("due_at", stands.due_at, begins_at), False
    elif state in TERMINAL:
        if stands.due_at is not None:
            yield _sentence("due_at", stands.due_at, None), True
    elif folded.status_reason != Reason.STEP_KIND_UNKNOWN:
        clock = stands.clock(state)
        was_put_off = stands.engine_failures and (stands.due_at is None) == (clock is None)
        if stands.due_at != clock and not was_put_off:
            yield _sentence("due_at", stands.due_at, clock), True


def _is_parked(folded: FoldedState) -> bool:
    """Whether a wait is open: the run is at it, or was when it was paused."""
    if folded.state == RunState.PAUSED:
        return folded.status_context.get("was") == RunState.WAITING
    return folded.state == RunState.WAITING


def instant(said: Any) -> datetime | None:
    """A time as JSON has it. A line that was tampered with may have anything there: it is found by its hash."""
    try:
        return datetime.fromisoformat(said) if isinstance(said, str) else None
    except ValueError:
        return None


def _sentence(column: str, stored: object, told: object) -> str:
    return f"{column} is stored as {stored!s}; the trace gives {told!s}."
