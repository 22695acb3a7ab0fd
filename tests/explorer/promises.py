"""What must hold where a schedule ends, once the sweeps have done what was left. Each check yields what is broken."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.explorer.guards import NONE
from tests.explorer.memory import Turn, World
from tests.explorer.scene import Scene
from tests.explorer.tables import TENANT, LineRow, RunRow, SignalRow, StepRunRow, locked, open_waits
from tests.explorer.work_actors import AttemptRow
from workflows.engine.matching import bind, judge
from workflows.inspection import Inspection, StoredRun, TraceLine
from workflows.states import Reason, RunState

_USED = (Reason.SIGNAL_MATCHED, Reason.EARLY_SIGNAL_USED)
_LAST_WORDS = {"matched", "started", "duplicate", "rejected", "late", "unmatched", "expired"}


def broken(world: World, scene: Scene) -> Iterator[str]:
    """Every promise that the world breaks, in words."""
    for check in (_refused, _traces, _wake_ups, _winners, _verdicts, _timers, _control, _work, _at_rest):
        yield from check(world, scene)


def _refused(world: World, scene: Scene) -> Iterator[str]:
    """The locks make every transaction succeed; none is refused by a unique key."""
    for (table, actor), why in sorted(world.rows.items(), key=str):
        if table == "refused":
            yield f"A transaction is refused: that of {actor}, because {why}."


def _traces(world: World, scene: Scene) -> Iterator[str]:
    """workflows/inspection, as `verify_trace` uses it: gap-free, chained, allowed, and folding to the stored state."""
    for run in world.table("run"):
        inspection = Inspection(TENANT, _stored(run, scene))
        for line in _lines(world, run):
            inspection.take(_as_read(line))
        for fault in inspection.finish():
            yield f"A trace does not verify: line {fault.seq} of run {run.id}, {fault.code}. {fault.message}"


def _stored(run: RunRow, scene: Scene) -> StoredRun:
    facts = locked(run, scene.documents).facts
    names = ("public_id", "state", "step", "visits", "status_reason", "status_context", "terminal_reason")
    said = {name: getattr(facts, name) for name in (*names, "pending_signals")}
    return StoredRun(**said, seq=run.seq, revision=run.seq, chain_head=run.chain_head)


def _lines(world: World, run: RunRow) -> list[LineRow]:
    return sorted((line for line in world.table("line") if line.run_id == run.id), key=lambda line: line.seq)


def _as_read(line: LineRow) -> TraceLine:
    values = line._asdict()
    return TraceLine(**{name: values[name] for name in TraceLine.__slots__} | {"context": json.loads(line.context)})


def _wake_ups(world: World, scene: Scene) -> Iterator[str]:
    """No run waits for a signal that is here and that its wait would take, unless somebody holds it."""
    for wait in open_waits(Turn(world, "judge", NONE)):
        run = world.rows["run", wait.run_id]
        facts = locked(run, scene.documents).facts
        step = scene.documents[run.definition_id].document.by_key[wait.step]
        rules = bind(step.rules, facts)
        for signal in world.table("signal"):
            since = wait.look_back_from or wait.opened_at
            taken, _ = judge(rules, signal.facts(), facts, wait.step)
            goes_on = run.state != RunState.PAUSED
            if goes_on and taken and signal.received_at >= since and not _uses(world, run, signal.public_id):
                yield f"A wake-up is lost: run {run.id} waits at {wait.step}, and signal {signal.id} is there."


def _uses(world: World, run: RunRow, signal: str) -> list[LineRow]:
    return [line for line in _lines(world, run) if line.reason in _USED and line.cause_ref == signal]


def _winners(world: World, scene: Scene) -> Iterator[str]:
    """A wait ends once, a run ends once, and a signal ends one wait of a run."""
    for run in world.table("run"):
        lines = _lines(world, run)
        ended = Counter((line.step, line.visit) for line in lines if _leaves_wait(line))
        ends = [line.reason for line in lines if line.to_state in ("completed", "cancelled", "expired", "failed")]
        for (step, visit), times in ended.items():
            if times > 1:
                yield f"Two winners: visit {visit} of {step} was ended {times} times."
        if len(ends) > 1:
            yield f"Two winners: run {run.id} ended {len(ends)} times: {', '.join(ends)}."
        for signal in world.table("signal"):
            if len(_uses(world, run, signal.public_id)) > 1:
                yield f"A signal counts twice: signal {signal.id} ended two waits of run {run.id}."


def _leaves_wait(line: LineRow) -> bool:
    return line.from_state == RunState.WAITING and line.to_state not in (RunState.WAITING, RunState.PAUSED)


def _verdicts(world: World, scene: Scene) -> Iterator[str]:
    """Each signal has an overall verdict; each pair has one that agrees with the trace; an ended run keeps none."""
    for signal in world.table("signal"):
        if signal.verdict is None:
            yield f"A signal has no verdict: signal {signal.id}."
    for run in world.table("run"):
        kept = [said for said in world.table("verdict") if (said.run_id, said.verdict) == (run.id, "buffered")]
        if run.pending_signals != len(kept):
            yield f"A signal counts twice: run {run.id} keeps {len(kept)} signals and counts {run.pending_signals}."
        for signal in world.table("signal"):
            yield from _verdict_of(world, run, signal)


def _verdict_of(world: World, run: RunRow, signal: SignalRow) -> Iterator[str]:
    said = world.rows.get(("verdict", (signal.id, run.id)))
    verdict = said.verdict if said is not None else None
    pair = f"signal {signal.id} for run {run.id}"
    is_used = bool(_uses(world, run, signal.public_id))
    if is_used != (verdict == "matched"):
        yield f"A verdict is wrong: {pair} is {verdict}, and was {'' if is_used else 'not '}used."
    if run.finished_at and verdict is not None and verdict not in _LAST_WORDS:
        yield f"A signal has no last verdict: {pair} is {verdict}, and the run ended."
    if verdict is None and run.visits != "{}":  # a run that ended before it began was no candidate
        yield f"A signal has no verdict: {pair}."


def _timers(world: World, scene: Scene) -> Iterator[str]:
    """By the clock of the database, whatever the worker's says."""
    due = {(wait.run_id, wait.step, wait.visit): wait.due_at for wait in world.table("wait")}
    for line in world.table("line"):
        if line.reason != Reason.WAIT_TIMED_OUT:
            continue
        at = due[line.run_id, line.step, line.visit]
        if line.truly_at < at:
            yield f"A timer fires early: at {line.truly_at:%H:%M}, and due at {at:%H:%M}."


def _control(world: World, scene: Scene) -> Iterator[str]:
    """A call with If-Match acts on the revision that its caller saw."""
    for (table, actor), acted in sorted(world.rows.items(), key=str):
        if table == "acted" and acted[0] not in (None, acted[1]):
            yield f"If-Match is not kept: the {actor} saw revision {acted[0]} and acted on {acted[1]}."


def _work(world: World, scene: Scene) -> Iterator[str]:
    """Attempts and sends tell the same; what was cancelled is not sent; what must not happen twice does not."""
    for work in world.table("steprun"):
        yield from _attempts_of(work, _by_number(world, "attempt", work))
        yield from _sends_of(world, work, _by_number(world, "sent", work))


def _by_number(world: World, table: str, work: StepRunRow) -> dict[int, Any]:
    """The rows of a table about this work, by the number of the attempt."""
    return {id_[1]: row for (name, id_), row in world.rows.items() if name == table and id_[0] == work.id}  # type: ignore[index]


def _attempts_of(work: StepRunRow, tries: dict[int, AttemptRow]) -> Iterator[str]:
    if sorted(tries) != list(range(1, work.attempts_made + 1)):
        yield f"Attempts have gaps: {sorted(tries)}."
    running = [number for number, attempt in tries.items() if attempt.status == "running"]
    if work.status != "running" and running:
        yield f"A stale worker changed something: the work is {work.status}, and attempt {running[0]} holds it."


def _sends_of(world: World, work: StepRunRow, sent: dict[int, bool]) -> Iterator[str]:
    named = world.rows.get(("in flight", work.run_id), ())
    if work.at_most_once and len(sent) > 1:
        yield f"Work that must not happen twice was sent {len(sent)} times."
    for number, had_ended in sent.items():
        if had_ended:
            yield f"Attempt {number} is sent although its worker could see that the run had ended."
        if had_ended and (work.id, number) not in named:
            yield f"Attempt {number} is sent after a cancel that named nothing in flight."


def _at_rest(world: World, scene: Scene) -> Iterator[str]:
    """Nothing that is due is left, and nobody holds anything."""
    for run in world.table("run"):
        if run.due_at is not None and run.due_at <= world.now():
            yield f"Stuck: run {run.id} is due and nobody advances it."
    for work in world.table("steprun"):
        is_due = work.due_at is not None and work.due_at <= world.now() and not work.held
        if is_due:
            yield f"Stuck: the work of {work.step} is due and nobody does it."
    for key, actor in world.locks.items():
        yield f"Stuck: {actor} holds {key}."
