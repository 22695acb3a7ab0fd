"""Moving runs in flight to another version of their definition: looked at first, then carried out batch by batch."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chimeway_py.errors import Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from chimeway_py.text import LONGEST_REASON, is_storable
from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.engine.events import VersionChanged
from workflows.engine.facts import SignalFacts
from workflows.engine.version_moves import MOVING, WHY, MoveOutcome, Place, judge, undoable_no_more
from workflows.services.look_back import early_signals
from workflows.services.version_plan import Change, MovePlan, Versions, load_versions
from workflows.states import LIVE, Cause
from workflows.store.batch import RunBatch
from workflows.store.load import LockedRun, lock_runs
from workflows.store.switches import lock_routing, settled_clock
from workflows.store.versions import listen_anew, stand_on

MOST_RUNS = 500  # in one batch, which is one transaction
_PLACE = """
r.state, r.step, coalesce(r.status_context ->> 'was', ''),
EXISTS (SELECT 1 FROM workflows_steprun s WHERE s.tenant_id = r.tenant_id AND s.run_id = r.id AND s.status = 'running'),
EXISTS (SELECT 1 FROM workflows_steprun s JOIN unnest(%s::text[], %s::text[]) AS n (key, kind)
                   ON n.key = s.step AND n.kind <> s.kind WHERE s.tenant_id = r.tenant_id AND s.run_id = r.id),
EXISTS (SELECT 1 FROM workflows_steprun s
         WHERE s.tenant_id = r.tenant_id AND s.run_id = r.id AND s.step = ANY(%s))
"""
_ON_VERSION = """
FROM workflows_run r WHERE r.tenant_id = %s AND r.definition_id = %s AND r.state = ANY(%s) AND r.id > %s AND r.id <= %s
"""
_LOOK = f"SELECT {_PLACE}, count(*) {_ON_VERSION} GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 2, 1"
_NEXT = f"SELECT r.id {_ON_VERSION} ORDER BY r.id LIMIT %s"
_LEFT = f"SELECT count(*) {_ON_VERSION}"
_PLACES = f"SELECT r.id, r.updated_at, {_PLACE} FROM workflows_run r WHERE r.tenant_id = %s AND r.id = ANY(%s)"  # noqa: S608
_LAST = "SELECT coalesce(max(id), 0) FROM workflows_run WHERE tenant_id = %s"


@dataclass(frozen=True, slots=True)
class Group:
    """Runs of the old version that stand alike: how many, and what would become of each."""

    state: str
    step: str
    step_to: str
    outcome: MoveOutcome
    runs: int
    why: str


@dataclass(frozen=True, slots=True)
class MoveForecast:
    """What a move would do: `moves` runs, while `stays` runs cannot move; both by where they stand."""

    plan: MovePlan
    moves: int
    stays: int
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class MoveVerdict:
    """What became of one run: `moved`, or `refused` with the reason why it stays on its version."""

    public_id: uuid.UUID
    verdict: str
    outcome: MoveOutcome
    state: str
    step: str
    revision: int
    why: str


@dataclass(frozen=True, slots=True)
class MoveBatch:
    """One step of a move. `remaining` runs are still to be looked at; `rest` is the plan for them, None at the end."""

    verdicts: list[MoveVerdict]
    remaining: int
    rest: MovePlan | None


def plan_move(*, tenant_id: int, change: Change) -> MoveForecast:
    """Look at what a move would do. Nothing is written. Raises `DefinitionNotFound`, `WrongStatus` and `Invalid`."""
    with tenant_scope(tenant_id):
        versions = load_versions(tenant_id, change)
        as_of = settled_clock(tenant_id)  # before looking: what changes from then on counts as changed
        plan = MovePlan(change, fetch(_LAST, [tenant_id])[0][0], as_of)
        found = fetch(_LOOK, [*_conflicts(versions), *_on_version(tenant_id, versions, plan)])
        groups = _grouped(versions, found)
        moves = sum(one.runs for one in groups if one.outcome in MOVING)
        return MoveForecast(plan, moves, sum(one.runs for one in groups) - moves, groups)


def move_planned(
    *, tenant_id: int, plan: MovePlan, cause: Cause, cause_ref: str, reason: str, limit: int = MOST_RUNS
) -> MoveBatch:
    """Carry out the next batch of a plan, at most `limit` runs (1 to 500), in one transaction. Repeat with `rest`.

    A run that has changed since the plan was made stays and is told so, and so does one that cannot move. Moving again
    meets only those that are still on the old version. Raises as `plan_move` does.
    """
    _check(limit, reason)
    with tenant_scope(tenant_id):
        versions = load_versions(tenant_id, plan.change)
        lock_routing(tenant_id)  # a signal that was routed by the old listeners is seen by the look-back
        found = fetch(_NEXT, [*_on_version(tenant_id, versions, plan), limit])
        ids = [row[0] for row in found]
        verdicts = _move(tenant_id, versions, plan, ids, (cause, cause_ref, reason))
        nudge_after_commit("engine", tenant_id)
        nudge_after_commit("work", tenant_id)
        if len(ids) < limit:
            return MoveBatch(verdicts, 0, None)
        rest = replace(plan, after=ids[-1])
        remaining = fetch(_LEFT, _on_version(tenant_id, versions, rest))[0][0]
        return MoveBatch(verdicts, remaining, rest if remaining else None)


def _move(
    tenant_id: int, versions: Versions, plan: MovePlan, ids: Sequence[int], who: tuple[Cause, str, str]
) -> list[MoveVerdict]:
    """Judge under lock, let the willing stand on the new version, load them again as that one reads them, and write."""
    runs = lock_runs(tenant_id, ids).runs
    outcomes = _judged(tenant_id, versions, plan, runs)
    willing = [id_ for id_, outcome in outcomes.items() if outcome in MOVING]
    if willing:
        stand_on(tenant_id, versions.new.id, willing)
        listen_anew(tenant_id, versions.new.document, [(id_, runs[id_].facts) for id_ in willing])
        batch = RunBatch.lock(tenant_id, willing)
        early: dict[int, list[SignalFacts]] = {}
        for run_id, signal in early_signals(batch, [run for run in batch.runs.values() if run.facts.wait]):
            early.setdefault(run_id, []).append(signal)
        for id_ in willing:
            batch.apply(id_, _event(versions, outcomes[id_], runs[id_], who, plan.change, early.get(id_, [])))
        batch.flush()
        runs = {**runs, **batch.runs}
    return [_verdict(runs[id_], outcome) for id_, outcome in outcomes.items()]


def _judged(
    tenant_id: int, versions: Versions, plan: MovePlan, runs: Mapping[int, LockedRun]
) -> dict[int, MoveOutcome]:
    outcomes = {}
    found = fetch(_PLACES, [*_conflicts(versions), tenant_id, list(runs)])
    for id_, updated_at, *place in sorted(found):
        if runs[id_].definition.id != versions.old.id or updated_at > plan.as_of:
            outcomes[id_] = MoveOutcome.CHANGED_SINCE
        else:
            outcomes[id_] = judge(versions.way, Place(*place))
    return outcomes


def _event(
    versions: Versions,
    outcome: MoveOutcome,
    run: LockedRun,
    who: tuple[Cause, str, str],
    change: Change,
    early: Sequence[SignalFacts],
) -> VersionChanged:
    step = versions.way.target(run.facts.step)
    return VersionChanged(
        *who,
        version_from=versions.old.version,
        version_to=versions.new.version,
        left=versions.old.document.by_key.get(run.facts.step),
        step=step if step in versions.new.document.by_key else None,
        opens_anew=outcome in (MoveOutcome.OPENED_ANEW, MoveOutcome.MAPPED),
        due=change.due,
        early=tuple(early),
    )


def _verdict(run: LockedRun, outcome: MoveOutcome) -> MoveVerdict:
    verdict, facts = "moved" if outcome in MOVING else "refused", run.facts
    public_id = uuid.UUID(facts.public_id)
    return MoveVerdict(public_id, verdict, outcome, str(facts.state), facts.step, run.seq, WHY[outcome])


def _grouped(versions: Versions, found: Sequence[tuple[Any, ...]]) -> tuple[Group, ...]:
    """Runs that stand alike and share their fate, in order of their step."""
    counts: dict[tuple[str, str, MoveOutcome], int] = {}
    for *place, runs in found:
        at = Place(*place)
        fate = (at.state, at.step, judge(versions.way, at))
        counts[fate] = counts.get(fate, 0) + runs
    return tuple(
        Group(state, step, versions.way.target(step) if outcome in MOVING else step, outcome, runs, WHY[outcome])
        for (state, step, outcome), runs in counts.items()
    )


def _conflicts(versions: Versions) -> list[Any]:
    """What a run's earlier work is held against: the kinds of the new version's steps, and what it forgets."""
    steps = versions.new.document.steps
    return [[step.key for step in steps], [step.kind for step in steps], undoable_no_more(versions.way)]


def _on_version(tenant_id: int, versions: Versions, plan: MovePlan) -> list[Any]:
    return [tenant_id, versions.old.id, [str(state) for state in LIVE], plan.after, plan.up_to]


def _check(limit: int, reason: str) -> None:
    faults = []
    if not 1 <= limit <= MOST_RUNS:
        faults.append(fault("/limit", "bad_limit", f"A whole number from 1 to {MOST_RUNS}."))
    if not is_storable(reason, LONGEST_REASON):
        faults.append(fault("/reason", "bad_reason", f"Text of at most {LONGEST_REASON} characters."))
    if faults:
        raise Invalid("The move is not valid.", faults)
