"""Callers and engine workers, step by step, as the services have it."""

from datetime import datetime, timedelta
from typing import Any

from signals_app.services.keys import keys_of
from tests.explorer.guards import Guard
from tests.explorer.memory import Turn
from tests.explorer.scene import Actor, Scene, Step
from tests.explorer.tables import (
    RunRow,
    SignalRow,
    batch_of,
    flush,
    new_run,
    open_waits,
    read_runs,
    write_lines,
)
from workflows.engine.events import CancelAsked, Event, PauseAsked, ResumeAsked, SignalArrived
from workflows.engine.facts import Judged
from workflows.engine.permits import why_not
from workflows.services.advance import _event
from workflows.services.claiming import Claimed
from workflows.services.control import _standing
from workflows.services.look_back import look_back_since
from workflows.services.route import _judge, _overall
from workflows.states import Cause
from workflows.store.batch import RunBatch


def commit(turn: Turn, scene: Scene) -> None:
    """COMMIT; in two parts where state and transitions are not written together."""
    late = turn.kept("late")
    if late:
        write_lines(turn, late)
    turn.commit()
    turn.keep("late", turn.kept("lines") if not late else None)
    turn.said = "commits the lines of the trace" if late else "commits"
    if turn.kept("late"):
        turn.again()
    turn.keep("lines", None)


def clock(turn: Turn) -> datetime:
    """The time by which a transaction judges: store/load._CLOCK, whatever the clock of the worker says."""
    wrong = (turn.kept("ahead") or 0) if turn.lacks(Guard.DATABASE_CLOCK) else 0
    return turn.world.now() + timedelta(minutes=wrong)


# -- callers


def starts(number: int) -> Actor:
    """services/start.start_runs: the run, its first transition and its listeners, in one transaction."""

    def write(turn: Turn, scene: Scene) -> None:
        new_run(turn, scene.runs[number], scene.loaded, number)
        turn.keep("runs", (number,))
        turn.said = f"writes run {number} as pending"

    return Actor("start", (write, _goes_on_at_once, _look_back, _advance, commit))


def _goes_on_at_once(turn: Turn, scene: Scene) -> None:
    if not turn.lacks(Guard.COMMIT_THEN_LOOK):
        turn.commit()
        turn.leave("commits")
    else:
        load(turn, scene)


def sends(number: int) -> Actor:
    """signals_app/services/intake: a signal and its keys, in one transaction."""

    def write(turn: Turn, scene: Scene) -> None:
        turn.insert("signal", number, scene.signals[number]._replace(received_at=turn.world.now()))
        turn.said = f"writes signal {number}"

    return Actor(f"sender {number}", (write, commit))


def cancels(*, sees_first: bool = False) -> Actor:
    """services/control.cancel_runs, with If-Match where the caller has looked before."""
    return _asks("caller", "cancel", CancelAsked(Cause.API, "caller", ""), sees_first=sees_first)


def pauses() -> Actor:
    """services/control.pause_runs."""
    return _asks("pauser", "pause", PauseAsked(Cause.API, "pauser", ""))


def resumes() -> Actor:
    """services/control.resume_runs."""
    return _asks("resumer", "resume", ResumeAsked(Cause.API, "resumer", ""))


def _asks(name: str, action: str, event: Event, *, sees_first: bool = False) -> Actor:
    """services/control.control: lock, refuse or let it happen, write."""

    def look(turn: Turn, scene: Scene) -> None:
        turn.keep("seen", turn.get("run", 1).seq)
        turn.said = f"sees revision {turn.kept('seen')}"

    def lock(turn: Turn, scene: Scene) -> None:
        if turn.get("run", 1) is None:
            turn.leave("is told that there is no such run")
        elif not turn.lacks(Guard.ROW_LOCK):
            turn.lock("run", 1)
            turn.said = "locks run 1"
        turn.keep("runs", (1,))

    def act(turn: Turn, scene: Scene) -> None:
        _act(turn, scene, action, event)

    steps: tuple[Step, ...] = (lock, load, act, commit)
    return Actor(name, (look, *steps) if sees_first else steps)


def _act(turn: Turn, scene: Scene, action: str, event: Event) -> None:
    batch = batch_of(turn.kept("seen runs"), scene.documents, clock(turn))
    run, seen = batch.runs[1], turn.kept("seen")
    if seen not in (None, run.seq) and not turn.lacks(Guard.REVISION):
        turn.leave(f"is refused: the run stands at {run.seq}")
        return
    refusal = why_not(action, _standing(run, False))
    if refusal:
        turn.leave(f"is refused: {refusal}")
        return
    turn.tell("acted", turn.actor, (seen, run.seq))
    batch.apply(1, event)
    flush(turn, batch)
    running = [work for work in turn.select("steprun") if work.run_id == 1 and work.status == "running"]
    turn.tell("in flight", 1, tuple((work.id, work.attempts_made) for work in running))
    turn.said = f"asks for {action}" + ("; told that an attempt is in flight" if running else "")


# -- engine workers: services/route._route


def routes(name: str = "router", *, at_most: int = 200) -> Actor:
    """One transaction: claim, find, lock, judge, write."""
    return Actor(
        name, (_claim_signals, _find_runs, _lock_runs, load, _judge_signals, commit), True, {"at most": at_most}
    )


def _claim_signals(turn: Turn, scene: Scene) -> None:
    """claiming.claiming: switches.OFF_FOR_ROUTING, then claiming._CLAIM"""
    if not turn.lacks(Guard.ROUTING_LOCK):
        turn.share("routing", 1)
    ids = [one.id for one in list(turn.select("signal")) if one.routed_at is None and turn.lock_free("signal", one.id)]
    ids, rest = ids[: turn.kept("at most")], ids[turn.kept("at most") :]
    for one in rest:
        del turn.world.locks["signal", one]
    turn.keep("signals", tuple(ids))
    if ids:
        turn.said = f"claims {_named('signal', ids)}"
    else:
        turn.leave("finds no signal to route")


def _find_runs(turn: Turn, scene: Scene) -> None:
    """The rest of claiming._CLAIM: by the index of listeners alone."""
    found = {id_: _listening(turn, turn.get("signal", id_), live=True) for id_ in turn.kept("signals")}
    turn.keep("found", tuple(found.items()))
    turn.keep("runs", tuple(sorted({run for runs in found.values() for run in runs})))
    if turn.lacks(Guard.LOOK_AFTER_LOCK):
        turn.keep("waits before", open_waits(turn))
    turn.said = f"finds {_named('run', turn.kept('runs'))} listening"


def _listening(turn: Turn, signal: SignalRow, *, live: bool) -> tuple[int, ...]:
    facts = signal.facts()
    keys = keys_of(facts.subject, facts.correlation)
    rows = [one for one in turn.select("listener") if (one.name, one.live) == (facts.name, live) and one.key in keys]
    return tuple(sorted({one.run_id for one in rows}))


def _lock_runs(turn: Turn, scene: Scene) -> None:
    """load._LOCK: one after the other, each waiting for its holder."""
    wanted = turn.kept("runs")
    if turn.lacks(Guard.LOCK_ORDER) and turn.actor.endswith("2"):
        wanted = wanted[::-1]  # in the order in which it happened to find them
    locked = turn.kept("locked") or 0
    if locked < len(wanted) and not turn.lacks(Guard.ROW_LOCK):
        turn.lock("run", wanted[locked])
        turn.keep("locked", locked + 1)
        turn.said = f"locks run {wanted[locked]}"
        if locked + 1 < len(wanted):
            turn.again()
    else:
        turn.said = "locks nothing"


def load(turn: Turn, scene: Scene) -> None:
    """load.lock_runs after its locks, and route._known_verdicts."""
    turn.keep("seen runs", read_runs(turn, turn.kept("runs"), turn.kept("waits before")))
    turn.keep("known", tuple((said.signal_id, said.run_id, said.verdict) for said in turn.select("verdict")))
    states = {run.id: run.state for run in turn.kept("seen runs").runs}
    turn.said = "reads " + (", ".join(f"run {id_}: {state}" for id_, state in states.items()) or "no run")


def _judge_signals(turn: Turn, scene: Scene) -> None:
    """route._judge for each, route._tell_finished, route._finish, RunBatch.flush."""
    batch = batch_of(turn.kept("seen runs"), scene.documents, clock(turn))
    for signal_id, runs in turn.kept("found"):
        one = Claimed(turn.get("signal", signal_id).facts(), 0, runs=list(runs))
        known = [said for said in turn.kept("known") if said[0] == signal_id]
        one.said += [Judged(verdict, "") for _, _, verdict in known]
        _judge(batch, one, set() if turn.lacks(Guard.KNOWN_VERDICTS) else {said[:2] for said in known})
        _tell_finished(turn, batch, one)
        overall = _overall(one, scene.loaded.listened | scene.later.listened)
        row = turn.get("signal", signal_id)._replace(routed_at=batch.now, verdict=overall.verdict)
        turn.update("signal", signal_id, row)
        turn.said += f"judges signal {signal_id}: {overall.verdict}; "
    flush(turn, batch)


def _tell_finished(turn: Turn, batch: RunBatch, one: Claimed) -> None:
    """route._FINISHED: those that listen no more, each with the verdict that it has, in one statement."""
    late = Judged("late", "run_finished")
    for run_id in _listening(turn, turn.get("signal", one.facts.id), live=False) if not one.said else ():
        told = None if turn.lacks(Guard.LATE_ASKS) else turn.get("verdict", (one.facts.id, run_id))
        one.said.append(Judged(told.verdict, "") if told else late)
        if told is None:
            batch.verdict(run_id, one.facts, late)


# -- engine workers: services/advance._advance


def advances(name: str = "engine", *, ahead: int = 0) -> Actor:
    """One transaction: claim, load, look back for those that begin, decide, write. `ahead`: its own clock is wrong."""
    return Actor(name, (_claim_runs, load, _look_back, _advance, commit), True, {"ahead": ahead})


def _claim_runs(turn: Turn, scene: Scene) -> None:
    """advance._CLAIM"""
    due = [run for run in turn.select("run") if run.due_at is not None and run.due_at <= clock(turn)]
    ids = tuple(run.id for run in due if turn.lacks(Guard.ROW_LOCK) or turn.lock_free("run", run.id))
    turn.keep("runs", ids)
    if ids:
        turn.said = f"claims {_named('run', ids)}, whose time has come"
    else:
        turn.leave("finds no run whose time has come")


def _look_back(turn: Turn, scene: Scene) -> None:
    """look_back._EARLY, for runs that begin."""
    early: list[tuple[int, SignalRow]] = []
    for run in turn.kept("seen runs").runs if not turn.lacks(Guard.LOOK_BACK) else ():
        if run.state == "pending":
            early += [(run.id, signal) for signal in came_before(turn, scene, run)]
    turn.keep("early", tuple(early))
    turn.said = f"looks back and finds {_named('signal', [signal.id for _, signal in early])}"


def came_before(turn: Turn, scene: Scene, run: RunRow) -> list[SignalRow]:
    since = look_back_since(scene.documents[run.definition_id].document, run.began_at, clock(turn))
    return [
        signal
        for signal in turn.select("signal")
        if signal.received_at >= since
        and signal.verdict != "expired"
        and run.id in _listening(turn, signal, live=True)
        and (turn.lacks(Guard.TOLD_ONCE) or turn.get("verdict", (signal.id, run.id)) is None)
    ]


def _advance(turn: Turn, scene: Scene) -> None:
    """look_back.look_back, then advance._event for each, then RunBatch.flush."""
    batch = batch_of(turn.kept("seen runs"), scene.documents, clock(turn))
    for run_id, signal in turn.kept("early"):
        judged = batch.apply(run_id, SignalArrived(signal.facts())).judged
        if judged is not None and judged.verdict != "unmatched":
            batch.verdict(run_id, signal.facts(), judged)
    for run in list(batch.runs.values()):
        batch.apply(run.id, _event(run, batch.now))
        turn.said += f"brings run {run.id} to {run.facts.step or 'nothing'}, {run.facts.state}; "
    flush(turn, batch)


def passes(minutes: int) -> Actor:
    """Time goes by."""

    def tick(turn: Turn, scene: Scene) -> None:
        turn.world.minute += minutes
        turn.said = f"goes on by {minutes} minutes"

    return Actor("clock", (tick,))


def _named(what: str, ids: Any) -> str:
    return f"{what} {', '.join(map(str, ids))}" if ids else f"no {what}"
