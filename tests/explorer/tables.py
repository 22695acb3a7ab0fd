"""Rows of the engine's tables, and the way between them and the batch on which the real engine decides.

What is read is given to `workflows.store.load`'s own readers; what is written was made by `RunBatch.apply` and comes
through `workflows.store.rows`. Only the statements in between are of the model.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tests.explorer.guards import Guard
from tests.explorer.memory import Turn
from workflows.engine.facts import SignalFacts
from workflows.engine.matching import listener_keys
from workflows.services.documents import Loaded
from workflows.services.start_rows import StartRow
from workflows.store import rows as columns
from workflows.store.batch import Pending, RunBatch
from workflows.store.load import Locked, LockedRun, _locked, _wait, signal_facts
from workflows.store.rows import dumps
from workflows.store.write import _last_words

TENANT = 1


class RunRow(NamedTuple):
    """The columns of a run that the engine reads."""

    id: int
    public_id: str
    definition_id: int
    subject: str
    correlation: str
    data_sha: bytes | None
    state: str
    step: str
    visits: str
    began_at: datetime
    step_entered_at: datetime
    deadline_at: datetime | None
    pending_signals: int
    status_reason: str
    status_context: str
    terminal_reason: str
    seq: int
    chain_head: bytes
    due_at: datetime | None
    suspended_until: datetime | None
    finished_at: datetime | None


WaitRow = NamedTuple("WaitRow", [(name, Any) for name in ["id", *columns.OPENED_WAIT]])
LineRow = NamedTuple("LineRow", [(name, Any) for name in [*columns.TRANSITION, "truly_at"]])
VerdictRow = NamedTuple("VerdictRow", [(name, Any) for name in columns.VERDICT])
ListenerRow = NamedTuple("ListenerRow", [(name, Any) for name in columns.LISTENER])


class SignalRow(NamedTuple):
    """A signal. Its index keys are made where they are looked for."""

    id: int
    public_id: str
    name: str
    subject: str
    correlation: str
    received_at: datetime
    routed_at: datetime | None = None
    verdict: str | None = None

    def facts(self) -> SignalFacts:
        """As `workflows.store.load` reads it."""
        plain = self.id, self.public_id, self.name, self.subject, json.loads(self.correlation), self.received_at
        return signal_facts(plain)


class StepRunRow(NamedTuple):
    """Owed work."""

    id: str  # its effect key
    run_id: int
    step: str
    visit: int
    at_most_once: bool
    due_at: datetime | None
    status: str = "owed"
    fence: int = 0
    attempts_made: int = 0
    held: bool = False


class Seen(NamedTuple):
    """What a transaction read of the runs it locked, in the order in which `lock_runs` reads it."""

    runs: tuple[RunRow, ...]
    waits: tuple[WaitRow, ...]
    buffered: tuple[tuple[int, SignalRow], ...]
    working: frozenset[int]  # runs with work that is owed or under way


def read_runs(turn: Turn, ids: Iterable[int], waits: tuple[WaitRow, ...] | None = None) -> Seen:
    """The rows of `store/load.lock_runs`, under the locks. `waits`: those that were read before the locks were held."""
    wanted = [turn.get("run", id_) for id_ in ids]
    held = [(v.run_id, turn.get("signal", v.signal_id)) for v in turn.select("verdict") if v.verdict == "buffered"]
    return Seen(
        tuple(run for run in wanted if run is not None),
        open_waits(turn) if waits is None else waits,
        tuple(sorted(held, key=lambda one: (one[1].received_at, one[1].id))),
        frozenset(work.run_id for work in turn.select("steprun") if work.status in ("owed", "running")),
    )


def open_waits(turn: Turn) -> tuple[WaitRow, ...]:
    """The rows of `store/load._WAITS`."""
    return tuple(wait for wait in turn.select("wait") if wait.closed_at is None)


def batch_of(seen: Seen, documents: Mapping[int, Loaded], now: datetime) -> RunBatch:
    """A batch of the real store on what was read."""
    batch = RunBatch(TENANT, Locked({run.id: locked(run, documents) for run in seen.runs}, now, False, ()))
    for wait in seen.waits:
        if wait.run_id in batch.runs:
            batch.runs[wait.run_id].facts.wait = _wait(_wait_values(wait))
    for run_id in seen.working & batch.runs.keys():
        batch.runs[run_id].has_work = True
    for run_id, signal in seen.buffered:
        if run_id in batch.runs:
            facts = batch.runs[run_id].facts
            facts.buffered = (*facts.buffered, signal.facts())
    return batch


def locked(run: RunRow, documents: Mapping[int, Loaded]) -> LockedRun:
    """A run as the store gives it to the engine."""
    texts = {name: json.loads(getattr(run, name)) for name in ("correlation", "visits", "status_context")}
    return _locked(tuple(run._replace(**texts)), documents[run.definition_id], {}, "UTC", {})


def _wait_values(wait: WaitRow) -> list[Any]:
    signals, target, routes, actors = (
        json.loads(text) for text in (wait.signals, wait.on_timeout, wait.routes, wait.actors)
    )
    times = wait.look_back_from, wait.opened_at, wait.due_at
    return [wait.id, wait.step, wait.visit, signals, *times, target, routes, actors, wait.remind_at]


def new_run(turn: Turn, row: StartRow, loaded: Loaded, run_id: int) -> None:
    """services/start._write: the run, its first transition and its listeners, from the real row of a start."""
    facts, new = row.facts, row.new
    whom = run_id, facts.public_id, loaded.id, new.subject, dumps(dict(new.correlation)), None
    where = "pending", "", "{}", facts.began_at, facts.step_entered_at, facts.deadline_at
    status = 0, str(row.reason), dumps(row.context), "", 1, row.chain_head, row.due_at, None, None
    turn.insert("run", run_id, RunRow(*whom, *where, *status))
    said = str(new.cause), new.cause_ref, "", "pending", str(row.reason), dumps(row.context), facts.began_at
    line = LineRow(run_id, 1, "", 0, None, *said, b"\x00" * 32, row.chain_head, turn.world.now())
    turn.insert("line", (run_id, 1), line)
    if not turn.lacks(Guard.LISTENERS_WITH_RUN):
        new_listeners(turn, run_id, loaded, facts)


def new_listeners(turn: Turn, run_id: int, loaded: Loaded, facts: Any) -> None:
    """The listeners of every signal that a step of the run could wait for, by the engine's own index keys."""
    for name, key, rest in listener_keys(loaded.document, facts):
        if turn.get("listener", (run_id, name, key)) is None:
            turn.insert("listener", (run_id, name, key), ListenerRow(run_id, name, key, dumps(dict(rest)), True))


def flush(turn: Turn, batch: RunBatch) -> None:
    """store/batch.flush and store/write.flush: everything that the batch decided, in this transaction."""
    pending = batch._pending
    _write_work(turn, batch)
    _write_waits(turn, pending, batch.now)
    for run in pending.changed.values():
        changed = dict(zip(columns.CHANGED_RUN, columns.changed_run(run, batch.now), strict=True))
        row = turn.get("run", run.id)
        turn.update("run", run.id, row._replace(**{name: changed[name] for name in changed if name in row._fields}))
        if turn.lacks(Guard.LISTENERS_WITH_RUN) and run.facts.wait is not None:
            new_listeners(turn, run.id, run.definition, run.facts)
    for run in pending.finished:
        _finish(turn, run)
    _write_verdicts(turn, pending, batch.now)
    if turn.lacks(Guard.ONE_TRANSACTION):
        turn.keep("lines", tuple(pending.transitions))
    else:
        write_lines(turn, pending.transitions)


def write_lines(turn: Turn, lines: Iterable[tuple[Any, ...]]) -> None:
    """store/write.write_transitions, under the unique key of run and seq."""
    for values in lines:
        line = LineRow(*values, turn.world.now())
        id_: Any = line.run_id, line.seq
        if turn.lacks(Guard.UNIQUE_SEQ):
            id_ = (*id_, turn.actor)
        turn.insert("line", id_, line)


def _write_work(turn: Turn, batch: RunBatch) -> None:
    """store/write.write_step_runs. The rows that kinds plan besides are not modelled."""
    for run, owed in batch._owed:
        step = run.definition.document.by_key[owed.step]
        key = f"{run.facts.public_id}:{owed.step}:{owed.visit}"
        row = StepRunRow(key, run.id, owed.step, owed.visit, bool(step.config.get("at_most_once")), batch.now)
        turn.insert("steprun", key, row)
        run.has_work = True


def _write_waits(turn: Turn, pending: Pending, now: datetime) -> None:
    """store/write._CLOSE_WAITS, which finds only open ones, and _OPEN_WAITS."""
    for _, wait, outcome in pending.closed:
        stored = wait.id and turn.get("wait", wait.id)
        if stored and stored.closed_at is None:
            turn.update("wait", wait.id, stored._replace(outcome=outcome, closed_at=now))
    for run_id, wait, outcome in _last_words(pending):
        id_ = f"{run_id} {wait.step} {wait.visit}"
        turn.insert("wait", id_, WaitRow(id_, *columns.opened_wait(run_id, wait, outcome, now)))


def _finish(turn: Turn, run: LockedRun) -> None:
    """store/write._REST_LISTENERS, _EXPIRE_SIGNALS and _CANCEL_WORK: what a finished run leaves behind."""
    for one in list(turn.select("listener")):
        if one.run_id == run.id:
            turn.update("listener", (run.id, one.name, one.key), one._replace(live=False))
    for said in list(turn.select("verdict")) if run.kept_signals else ():
        if said.run_id == run.id and said.verdict == "buffered":
            turn.update("verdict", (said.signal_id, run.id), said._replace(verdict="expired"))
    for work in list(turn.select("steprun")) if run.has_work and not turn.lacks(Guard.MEET_AT_WORK) else ():
        if work.run_id == run.id and work.status in ("owed", "running"):
            turn.lock("steprun", work.id)
            ended = {"status": "cancelled", "due_at": None} if work.status == "owed" else {}
            turn.update("steprun", work.id, work._replace(held=True, **ended))


def _write_verdicts(turn: Turn, pending: Pending, now: datetime) -> None:
    """store/write._write_verdicts: one per signal and run, the last word counts."""
    finished = {run.id for run in pending.finished}
    for (signal_id, run_id), (signal, judged) in sorted(pending.verdicts.items()):
        row = VerdictRow(*columns.verdict(run_id, signal, judged, now))
        if row.verdict == "buffered" and run_id in finished:
            row = row._replace(verdict="expired", reason="run_finished")
        turn.update("verdict", (signal_id, run_id), row)
