"""Routing: find the runs that a signal means, let each judge it, and end every signal with a verdict.

A batch of a tenant's oldest signals is claimed with SKIP LOCKED, so several routers share the work. Locks are taken in
one order: signals by id, then runs by id. Candidates come from the listeners' index alone, whatever the number of
waiting runs.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import structlog
from django.db import OperationalError

from signals_app.verdicts import BEST_FIRST, Verdict
from tenants.limits.board import limits_of
from tenants.limits.taking import hold
from tenants.scope import tenant_scope
from tenants.sql import Question, Rows, arrays, execute, fetch, given, pipelined, push, update
from workflows.engine.events import SignalArrived
from workflows.engine.facts import Judged
from workflows.services.claiming import Claimed, claim, claimed_by, claiming, cut
from workflows.services.signal_starts import Catalog, start_by_signals
from workflows.services.start import PER_START
from workflows.store.batch import RunBatch
from workflows.store.rows import dumps

log = structlog.get_logger(__name__)

BATCH = 200  # signals in one transaction
SLICE = 125  # runs of a very wide signal that are written while the next are decided
LATE_RUNS = 3  # finished runs that are told of a signal nobody else takes

# With the verdict that the run has of the signal: a look-back may have told it a moment ago, and ended it.
_FINISHED = """
SELECT s.id, l.run_id, v.verdict FROM unnest(%(signals)s::bigint[]) AS u(id) CROSS JOIN LATERAL (
    SELECT id, name, correlation FROM signals_app_signal WHERE tenant_id = %(tenant)s AND id = u.id OFFSET 0) s
 CROSS JOIN LATERAL (
    SELECT key FROM signals_app_signalkey WHERE tenant_id = %(tenant)s AND signal_id = u.id OFFSET 0) k
 CROSS JOIN LATERAL (
    SELECT run_id FROM workflows_listener l
     WHERE l.tenant_id = %(tenant)s AND l.name = s.name AND l.key = k.key AND NOT l.live AND l.rest <@ s.correlation
     ORDER BY l.run_id DESC LIMIT %(most)s) l
  LEFT JOIN LATERAL (
    SELECT verdict FROM workflows_signalverdict WHERE tenant_id = %(tenant)s AND signal_id = u.id
       AND run_id = l.run_id OFFSET 0) v ON true
"""
# `OFFSET 0`, here and elsewhere: the planner shall look each row up by its whole key, whatever it thinks of the table.
_JUDGED = """
SELECT v.* FROM unnest(%s::bigint[]) AS u(id) CROSS JOIN LATERAL (
    SELECT signal_id, run_id, verdict FROM workflows_signalverdict
     WHERE tenant_id = %s AND signal_id = u.id OFFSET 0) v
"""
_PAIR = {"signal_id": "bigint", "run_id": "bigint"}
_JUDGED_OF = f"""
SELECT v.* FROM {given(_PAIR)} CROSS JOIN LATERAL (
    SELECT signal_id, run_id, verdict FROM workflows_signalverdict
     WHERE tenant_id = %s AND signal_id = u.signal_id AND run_id = u.run_id OFFSET 0) v
"""  # noqa: S608
_ROUTE = {
    "id": "bigint",
    "routed_at": "timestamptz",
    "verdict": "text",
    "verdict_reason": "text",
    "verdict_context": "jsonb",
    "route_cursor": "bigint",
}
_ROUTED = update("signals_app_signal", _ROUTE)
_POSTPONE = """
UPDATE signals_app_signal SET route_failures = route_failures + 1,
    route_after = clock_timestamp() + make_interval(secs => least(300, power(2, least(route_failures, 10))))
 WHERE tenant_id = %s AND id = %s AND routed_at IS NULL
"""


def route_signals(*, tenant_id: int, limit: int = BATCH) -> int:
    """Route the tenant's oldest unrouted signals; how many were taken up. Routing one again is a no-op.

    A signal that makes the engine fail is tried again by itself and postponed, so that its neighbours go on. It is
    never given up: it was accepted, and the home page shows that it waits.
    """
    try:
        return _route(tenant_id, limit)
    except OperationalError:
        raise
    except Exception as error:
        log.warning("routing_one_by_one", tenant_id=tenant_id, error=type(error).__name__)
        return sum(_route_or_postpone(tenant_id, signal_id) for signal_id in _unrouted(tenant_id, limit))


def _route_or_postpone(tenant_id: int, signal_id: int) -> int:
    try:
        return _route(tenant_id, 1, signal_id)
    except OperationalError:
        raise
    except Exception as error:
        log.exception("signal_not_routed", tenant_id=tenant_id, signal_id=signal_id, error=type(error).__name__)
        with tenant_scope(tenant_id):
            execute(_POSTPONE, [tenant_id, signal_id])
        return 1


def _unrouted(tenant_id: int, limit: int) -> list[int]:
    with tenant_scope(tenant_id):
        return [row[0] for row in fetch(*claim(tenant_id, limit))]


def _route(tenant_id: int, limit: int, signal_id: int | None = None) -> int:
    """One transaction: claim, find, lock, judge, write."""
    with _holding_limits(tenant_id), tenant_scope(tenant_id, *claiming(tenant_id, limit, signal_id)) as scope:
        catalog, claimed = claimed_by(tenant_id, scope.answers)
        claimed = cut(claimed)
        if not claimed:
            return 0
        # After the batch was cut: a run that is started gets the verdict of its signal in this very transaction. The
        # others of the batch find it by its look-back, which comes after this commit.
        started = start_by_signals(tenant_id, catalog, [one.facts for one in claimed if not one.cursor], scope.now)
        runs = {run for one in claimed for run in one.runs}
        batch, judged = RunBatch.lock_and_ask(tenant_id, runs, *_judged_before(tenant_id, claimed))
        known = _known_verdicts(claimed, judged)
        _judge_all(batch, claimed, known)
        for one in claimed:
            _tell_started(batch, one, started.get(one.facts.id, []))
        _tell_finished(tenant_id, batch, claimed)
        _finish(batch, claimed, catalog)
        batch.flush(is_last=True)
        return len(claimed)


@contextmanager
def _holding_limits(tenant_id: int) -> Iterator[None]:
    """Signals may start runs. Whoever takes of a limit does so before it locks signals; so does this."""
    if limits_of(tenant_id).keys().isdisjoint(PER_START):
        yield
        return
    with tenant_scope(tenant_id):
        hold(tenant_id, PER_START)
        yield


def _judged_before(tenant_id: int, claimed: Sequence[Claimed]) -> list[Question]:
    """Pairs already judged: by a look-back that was faster, or by an earlier part of a wide signal.

    What earlier parts said is on the signal; only the runs of this part are asked for.
    """
    fresh = [one.facts.id for one in claimed if not one.cursor]
    going_on = [(one.facts.id, run_id) for one in claimed if one.cursor for run_id in one.runs]
    questions: list[Question] = [(_JUDGED, [fresh, tenant_id])] if fresh else []
    return questions + ([(_JUDGED_OF, [*arrays(going_on, _PAIR), tenant_id])] if going_on else [])


def _known_verdicts(claimed: Sequence[Claimed], judged: Sequence[Rows]) -> set[tuple[int, int]]:
    """The pairs, and what was said of each signal."""
    by_id = {one.facts.id: one for one in claimed}
    found = [row for rows in judged for row in rows]
    for signal_id, _, verdict in found:
        by_id[signal_id].said.append(Judged(verdict, ""))
    return {(signal_id, run_id) for signal_id, run_id, _ in found}


def _judge_all(batch: RunBatch, claimed: Sequence[Claimed], known: set[tuple[int, int]]) -> None:
    """A signal that comes alone touches each run once, so the first can be written while the next are decided."""
    first, *others = claimed
    if others or len(first.runs) <= SLICE:
        for one in claimed:
            _judge(batch, one, known)
        return
    with pipelined():
        for at in range(0, len(first.runs), SLICE):
            batch.send()
            push()
            _judge(batch, replace(first, runs=first.runs[at : at + SLICE]), known)


def _judge(batch: RunBatch, one: Claimed, known: set[tuple[int, int]]) -> None:
    for run_id in one.runs:
        if (one.facts.id, run_id) in known or run_id not in batch.runs:
            continue
        judged = batch.apply(run_id, SignalArrived(one.facts)).judged
        if judged is not None and judged.verdict != "unmatched":
            one.said.append(judged)
            batch.verdict(run_id, one.facts, judged)


def _tell_started(batch: RunBatch, one: Claimed, started: Iterable[tuple[int | None, Judged]]) -> None:
    for run_id, judged in started:
        one.said.append(judged)
        if run_id is not None:
            batch.verdict(run_id, one.facts, judged)


def _tell_finished(tenant_id: int, batch: RunBatch, claimed: Sequence[Claimed]) -> None:
    """A signal that no run took may have been meant for one that has ended: it is late, and says for whom."""
    silent = [one for one in claimed if not one.said and not one.has_more]
    if not silent:
        return
    by_id = {one.facts.id: one for one in silent}
    late = Judged("late", "run_finished")
    asked = {"tenant": tenant_id, "signals": list(by_id), "most": LATE_RUNS}
    for signal_id, run_id, verdict in fetch(_FINISHED, asked):
        by_id[signal_id].said.append(late if verdict is None else Judged(verdict, ""))
        if verdict is None:
            batch.verdict(run_id, by_id[signal_id].facts, late)


def _finish(batch: RunBatch, claimed: Sequence[Claimed], catalog: Catalog) -> None:
    rows = []
    for one in claimed:
        overall = _overall(one, catalog.listened)
        cursor = one.runs[-1] if one.runs else one.cursor
        routed_at = None if one.has_more else batch.now
        rows.append((one.facts.id, routed_at, overall.verdict, overall.reason, dumps(dict(overall.context)), cursor))
    batch.also(_ROUTED, [batch.tenant_id, *arrays(rows, _ROUTE)])


def _overall(one: Claimed, listened: frozenset[str]) -> Judged:
    """The best verdict.

    A signal for nobody is kept for a run that may still look back, if any definition listens for it.
    """
    if one.said:
        return min(one.said, key=lambda said: BEST_FIRST.index(Verdict(said.verdict)))
    return Judged("buffered", "no_run_yet") if one.facts.name in listened else Judged("unmatched", "nobody_listens")
