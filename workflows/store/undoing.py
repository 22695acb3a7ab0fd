"""Undoing an ended run: the compensations that it owes, one at a time, the last completed visit first.

Compensations are step runs like others, with a place in the order of undoing (`undo`). All are written when the run
ends; each is due once the one before it has ended, whatever became of that. Runs inside the lock of the run.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tenants.sql import arrays, execute, fetch, insert, update
from workflows.engine.facts import Undo
from workflows.errors import RunDataGone
from workflows.models.step_run import StepRunStatus
from workflows.states import Cause, Reason
from workflows.steps.base import UNKNOWN, Outcome, PlannedStep, WorkKind
from workflows.steps.registry import step_kind
from workflows.store import rows
from workflows.store.answers import is_data_gone
from workflows.store.load import LockedRun
from workflows.store.visits import (
    CANCELLED,
    OWED,
    RUNNING,
    SUPPRESSED,
    Visit,
    after_all,
    is_to_be_undone,
    named,
    undoable,
    visits_of,
)

if TYPE_CHECKING:
    from workflows.store.batch import RunBatch

MOST_NAMED = 20  # visits that the trace names; the rest are counted
_WRITE = insert("workflows_steprun", rows.STEP_RUN | {"undo": "int"}, "RETURNING key, id")
_STATE = {"id": "bigint", "status": "text", "outcome": "text", "due_at": "timestamptz", "finished_at": "timestamptz"}
_SET = update("workflows_steprun", _STATE)
_HOLD = "UPDATE workflows_steprun SET held = true WHERE tenant_id = %s AND id = %s"  # until the switch is thrown back
_IDS = {"id": "bigint"}
_AGAIN = update("workflows_steprun", _IDS, "status = 'owed', lost_attempts = 0, maybe_done = false, finished_at = NULL")
_PLACE = {"id": "bigint", "undo": "int"}
_PLACES = update("workflows_steprun", _PLACE)
_DOUBT = """
UPDATE workflows_steprun SET status = 'unknown', due_at = NULL, held = true, finished_at = coalesce(finished_at, %s)
 WHERE tenant_id = %s AND id = %s
"""


def undo_runs(batch: "RunBatch", asked: Mapping[int, Undo | None]) -> None:
    """Write what is owed of those that were asked for, then let the next compensation of each run become due."""
    found = visits_of(batch.tenant_id, asked, lock=True)
    for run_id, undo in asked.items():
        if undo is not None:
            _owe(batch, batch.runs[run_id], undo, found.setdefault(run_id, []))
    waiting = {run_id: visits for run_id, visits in found.items() if any(one.undo for one in visits)}
    for run_id in [run_id for run_id in waiting if batch.runs[run_id].held_by is not None]:
        if one := _next(batch, run_id, waiting.pop(run_id)):
            execute(_HOLD, [batch.tenant_id, one.id])
    while begun := {run_id: one for run_id, visits in waiting.items() if (one := _next(batch, run_id, visits))}:
        _plan(batch, begun)


def tell(
    batch: "RunBatch",
    place: tuple[int, str, int],
    outcome: Outcome,
    ref: str,
    more: Mapping[str, Any],
    cause: Cause = Cause.STEP,
) -> None:
    """Note on the trace how a compensation, given as (run id, step, visit), ended, and let the next one begin."""
    run_id, step, visit = place
    if run_id in batch.runs:
        context = {"compensates": step, "visit": visit, "outcome": outcome.word, **outcome.context, **more}
        context |= {"error": outcome.error} if outcome.error else {}
        batch.note(run_id, cause, ref, _reason(outcome.word), context)
        batch.go_on_undoing(run_id)


def status_after(word: str) -> StepRunStatus:
    """The status of a compensation that ended with this outcome. What was suppressed has undone nothing."""
    return StepRunStatus.FAILED if word == SUPPRESSED else rows.status_after(word)


def _reason(word: str) -> Reason:
    if word == UNKNOWN:
        return Reason.COMPENSATION_UNKNOWN
    return Reason.COMPENSATED if status_after(word) == StepRunStatus.SUCCEEDED else Reason.COMPENSATION_FAILED


def _owe(batch: "RunBatch", run: LockedRun, undo: Undo, visits: list[Visit]) -> None:
    document = run.definition.document
    if undo.after_all is None:
        owed = undoable(document, visits)
    else:
        owed = after_all(document, visits) if _is_wanted(run, visits) else []
    if not owed:
        return
    again = [one for one in owed if one.undo]
    if again:
        execute(_AGAIN, [batch.tenant_id, *arrays([(one.id,) for one in again], _IDS)])
    for one in again:
        one.status, one.due_at = OWED, None
    last = max((one.undo for one in visits), default=0)
    visits += _write(batch, run, [one for one in owed if not one.undo], last)
    if undo.after_all is not None:
        _put_first(batch, [one.place for one in owed], visits)
    batch.owed_compensations[run.id] = named(owed)
    context: dict[str, Any] = {"count": len(owed), "steps": named(owed)[:MOST_NAMED], **(undo.after_all or {})}
    context |= {"why": undo.why} if undo.why else {}
    batch.note(run.id, undo.cause, undo.cause_ref, Reason.COMPENSATION_OWED, context)


def _is_wanted(run: LockedRun, visits: Sequence[Visit]) -> bool:
    """Whether the run failed, was ended with compensation, or somebody asked for it since."""
    return is_to_be_undone(run.facts.state, run.facts.status_context) or any(one.undo for one in visits)


def _put_first(batch: "RunBatch", places: Sequence[tuple[str, int]], visits: Sequence[Visit]) -> None:
    """What ended last is undone next, before all that has not begun; the places in the order are dealt out anew."""
    waiting = sorted((one for one in visits if one.undo and one.status == OWED and not one.due_at), key=_turn)
    waiting.sort(key=lambda one: places.index(one.place) if one.place in places else len(places))
    turns = sorted(map(_turn, waiting))
    for one, turn in zip(waiting, turns, strict=True):
        one.undo = turn
    execute(_PLACES, [batch.tenant_id, *arrays([(one.id, one.undo) for one in waiting], _PLACE)])


def _turn(one: Visit) -> int:
    return one.undo


def _write(batch: "RunBatch", run: LockedRun, fresh: Sequence[Visit], last: int) -> list[Visit]:
    """The rows of compensations, none of them due yet."""
    if not fresh:
        return []
    written = []
    for undo, one in enumerate(fresh, start=last + 1):
        work = run.definition.document.by_key[one.step].work(undo)
        once, key = bool(work.config.get("at_most_once")), compensation_key(run.facts.public_id, *one.place)
        row = (run.id, *one.place, 0, work.kind, key, OWED, "", 0, 0, 0, None, once, batch.now, undo)
        written.append(row)
    columns = rows.STEP_RUN | {"undo": "int"}
    ids: dict[str, int] = dict(fetch(_WRITE, [batch.tenant_id, *arrays(written, columns)]))
    return [
        Visit(ids[row[5]], run.id, *one.place, row[-1], OWED, "", None, None, 0)
        for row, one in zip(written, fresh, strict=True)
    ]


def compensation_key(run_public_id: str, step: str, visit: int) -> str:
    """The key that a compensation carries: that of the visit which it undoes, and a word more. It never changes."""
    return f"{run_public_id}:{step}:{visit}:compensate"


def step_of(key: str) -> str:
    """The key of the step that the compensation with this effect key undoes."""
    return key.split(":")[1]


def _next(batch: "RunBatch", run_id: int, visits: Sequence[Visit]) -> Visit | None:
    """The compensation whose turn it is, if one may begin. Those that turned out needless end here."""
    undoing = sorted((one for one in visits if one.undo), key=_turn)
    document = batch.runs[run_id].definition.document
    done = {one.place: one for one in visits if not one.undo}
    doubtful = {place for place, of in done.items() if of.waits_for_word(document)}
    for one in (one for one in undoing if one.status == OWED and one.place in doubtful):
        _doubt(batch, done[one.place])  # until somebody settles it; the others do not wait
    if any(one.is_under_way for one in undoing):
        return None
    for one in (one for one in undoing if one.status == OWED and one.place not in doubtful):
        of = done.get(one.place)
        if of is None or of.took_effect or of.may_have:
            return one
        if of.status == RUNNING:
            return None  # it comes first, if it comes
        _end(batch, one, CANCELLED, one.outcome)
        context = {"compensates": one.step, "visit": one.visit, "outcome": of.outcome or of.status}
        key = compensation_key(batch.runs[run_id].facts.public_id, *one.place)
        batch.note(run_id, Cause.STEP, key, Reason.COMPENSATION_NEEDLESS, context)
    return None


def _doubt(batch: "RunBatch", of: Visit) -> None:
    """Nobody knows whether the visit took effect, whatever its last try said: it is there to be settled."""
    if of.status != UNKNOWN:
        of.status = UNKNOWN
        execute(_DOUBT, [batch.now, batch.tenant_id, of.id])
        kind = step_kind(of.kind)
        assert isinstance(kind, WorkKind)
        kind.resolve(batch.tenant_id, of.id, UNKNOWN, batch.now)


def _plan(batch: "RunBatch", begun: Mapping[int, Visit]) -> None:
    """Let each kind plan its own rows; what it settles at once has ended, the rest is due now."""
    by_kind: dict[tuple[str, bool], list[PlannedStep]] = {}
    settled: dict[int, Outcome] = {}
    for run_id, one in begun.items():
        if is_data_gone(batch.tenant_id, run_id):
            settled[one.id] = Outcome("permanent_failure", RunDataGone.code)
            continue
        planned = _planned(batch, batch.runs[run_id], one)
        by_kind.setdefault((planned.step.kind, bool(one.outcome)), []).append(planned)
    for (name, is_again), together in by_kind.items():
        kind = step_kind(name)
        assert isinstance(kind, WorkKind)
        settled |= (kind.plan_again if is_again else kind.plan)(together, batch.now)
    for run_id, one in begun.items():
        outcome = settled.get(one.id)
        key = compensation_key(batch.runs[run_id].facts.public_id, *one.place)
        if outcome is None or outcome.until is not None:
            one.due_at = batch.now if outcome is None else outcome.until
            _store(batch, one)
            batch.work_planned()
        else:
            _end(batch, one, str(status_after(outcome.word)), outcome.word)
            tell(batch, (run_id, *one.place), outcome, key, {})
        if outcome is not None and outcome.until is not None:  # quiet hours, a window, a cap
            context = {**outcome.context, "compensates": one.step, "visit": one.visit}
            batch.note(run_id, Cause.STEP, key, Reason.WORK_HELD, context)


def _planned(batch: "RunBatch", run: LockedRun, one: Visit) -> PlannedStep:
    work, key = (
        run.definition.document.by_key[one.step].work(one.undo),
        compensation_key(run.facts.public_id, *one.place),
    )
    return run.planned(batch.tenant_id, one.id, key, work, one.visit)


def _end(batch: "RunBatch", one: Visit, status: str, outcome: str) -> None:
    one.status, one.outcome, one.due_at, one.finished_at = status, outcome, None, batch.now
    _store(batch, one)


def _store(batch: "RunBatch", one: Visit) -> None:
    row = (one.id, one.status, one.outcome, one.due_at, one.finished_at)
    execute(_SET, [batch.tenant_id, *arrays([row], _STATE)])
