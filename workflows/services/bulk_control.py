"""Control calls on all runs of a selection: looked at first, carried out in bounded batches, a verdict for each run."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Count, Max

from chimeway_py.errors import Invalid, fault
from tenants.scope import tenant_scope
from workflows.engine.permits import Standing, why_not
from workflows.models import Run, StepRun
from workflows.querysets import RunQuerySet
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.bulk_checks import DECISIONS, MOST_RUNS, check_call, check_look, check_replaying
from workflows.services.bulk_replay import MOST_REPLAYS, Replaying, replay_runs
from workflows.services.bulk_undoing import compensates, left_to_undo
from workflows.services.control import (
    ControlVerdict,
    cancel_runs,
    compensate_runs,
    pause_runs,
    resume_runs,
    wake_runs,
)
from workflows.services.run_selection import Plan, Selection
from workflows.services.wide_search import bounded_search
from workflows.states import LIVE, Cause, RunState

SAMPLE = 10
CONTROLS: Mapping[str, Callable[..., list[ControlVerdict]]] = {
    "cancel": cancel_runs,
    "wake": wake_runs,
    "pause": pause_runs,
    "resume": resume_runs,
    "approve": approve_runs,
    "reject": reject_runs,
    "replay": replay_runs,
    "compensate": compensate_runs,
}


@dataclass(frozen=True, slots=True)
class SampleRun:
    """One of the runs that a bulk call would move."""

    public_id: uuid.UUID
    subject: str
    state: str
    step: str


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a bulk call would do: `moves` runs out of those selected, which `by_state` counts.

    `in_flight` counts work that a worker has begun: it may still take effect. `compensates` counts the visits
    that would be undone, by `<workflow>.<step>`. `sample` shows the oldest of those runs.
    """

    plan: Plan
    moves: int
    by_state: Mapping[str, int]
    in_flight: int
    compensates: Mapping[str, int]
    sample: tuple[SampleRun, ...]
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Batch:
    """One step of a bulk call. `remaining` runs are still to come; `rest` is the plan for them, None at the end."""

    verdicts: list[ControlVerdict]
    remaining: int
    rest: Plan | None


def plan_control(
    *,
    tenant_id: int,
    action: str,
    selection: Selection,
    compensate: bool = False,
    decision: Decision | None = None,
) -> Forecast:
    """Look at what a bulk call would do. Nothing is written.

    With the `decision` of an approve or a reject, what its actor may not decide, or does not mean, is not counted as
    moving. Raises `Invalid`.
    """
    selection.check()
    accepted = _accepted(action)
    check_look(action, compensate, decision)
    with tenant_scope(tenant_id) as scope, bounded_search(is_wide=bool(selection.correlation)):
        rows = Run.objects.for_tenant(tenant_id)
        last = rows.aggregate(last=Max("id"))["last"] or 0
        plan = Plan(action, selection, last, compensate=compensate)
        selected = _selected(tenant_id, plan)
        by_state = dict(selected.order_by().values_list("state").annotate(count=Count("id")))
        moving = _meant(tenant_id, action, selected.filter(state__in=accepted))
        if action == "replay":
            moving = moving.with_start_data()
        if action in DECISIONS:
            moving = moving.asked_to_decide(*(decision.meant if decision else ()))
        differ = action in (*DECISIONS, "compensate", "replay")
        moves = moving.count() if differ else sum(by_state.get(state, 0) for state in accepted)
        busy = StepRun.objects.for_tenant(tenant_id).in_flight().filter(run_id__in=moving.values("id"))
        return Forecast(
            plan=plan,
            moves=moves,
            by_state=by_state,
            in_flight=busy.count(),
            compensates=compensates(tenant_id, moving, have_ended=not compensate) if plan.undoes else {},
            sample=tuple(
                SampleRun(*row)
                for row in moving.order_by("id").values_list("public_id", "subject", "state", "step")[:SAMPLE]
            ),
            as_of=scope.now,
        )


def control_planned(
    *,
    tenant_id: int,
    plan: Plan,
    cause: Cause,
    cause_ref: str,
    reason: str = "",
    limit: int = MOST_RUNS,
    until: datetime | None = None,
    decision: Decision | None = None,
    replaying: Replaying | None = None,
) -> Batch:
    """Carry out the next batch of a plan, at most `limit` runs (1 to 1000), in one transaction. Repeat with `rest`.

    `until` is when a pause ends by itself. An approve or a reject takes a `decision` instead of a reason, and answers
    for every live run of the selection: one without an open approval is refused. A compensate answers for the runs that
    have something left to undo. A replay does 200 runs at most, each
    once per plan, and raises what the limits of the tenant say. Raises `Invalid`.
    """
    check_call(plan, limit, until, reason, decision)
    check_replaying(plan.action, replaying)
    limit = min(limit, MOST_REPLAYS) if plan.action == "replay" else limit
    with tenant_scope(tenant_id):
        asked = _asked(tenant_id, plan).order_by("id")
        with bounded_search(is_wide=bool(plan.selection.correlation)):
            chosen = list(asked.values_list("id", "public_id")[:limit])
        verdicts = CONTROLS[plan.action](
            tenant_id=tenant_id,
            public_ids=[public_id for _, public_id in chosen],
            cause=cause,
            cause_ref=cause_ref,
            **({"decision": decision} if decision is not None else {"reason": reason}),
            **({"until": until} if until is not None else {}),
            **({"compensate": True} if plan.compensate else {}),
            **({"mark": plan.mark, "replaying": replaying} if plan.action == "replay" else {}),
        )
        if len(chosen) < limit:
            return Batch(verdicts, 0, None)
        rest = replace(plan, after=chosen[-1][0])
        remaining = _asked(tenant_id, rest).count()
        return Batch(verdicts, remaining, rest if remaining else None)


def _selected(tenant_id: int, plan: Plan) -> RunQuerySet:
    rows = Run.objects.for_tenant(tenant_id).filter(id__gt=plan.after, id__lte=plan.up_to)
    return plan.selection.of(rows)


def _accepted(action: str) -> Sequence[str]:
    """The states in which a run may have it. Raises `Invalid` for an action that is not for many runs."""
    if action not in CONTROLS:
        known = ", ".join(CONTROLS)
        raise Invalid("The call is not valid.", [fault("/action", "unknown_action", f"One of {known}.")])
    waits = RunState.WAITING
    stands = {
        state: Standing(state, state == waits, has_approval=state == waits, is_undoable=True) for state in RunState
    }
    return [state for state, standing in stands.items() if not why_not(action, standing)]


def _asked(tenant_id: int, plan: Plan) -> RunQuerySet:
    """The runs that get a verdict. A decision is told of every live run: whether it asks for one differs."""
    states = list(LIVE) if plan.action in DECISIONS else _accepted(plan.action)
    return _meant(tenant_id, plan.action, _selected(tenant_id, plan).filter(state__in=states))


def _meant(tenant_id: int, action: str, runs: RunQuerySet) -> RunQuerySet:
    """Those that an action is about: to undo is asked only of runs with something left to undo."""
    return left_to_undo(tenant_id, runs) if action == "compensate" else runs
