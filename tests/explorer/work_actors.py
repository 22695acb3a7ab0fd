"""Workers that do what is owed, step by step, as `workflows/services/work` and `lost_work` have it."""

from datetime import timedelta
from typing import Any, NamedTuple

from tests.explorer.engine_actors import clock, commit
from tests.explorer.guards import Guard
from tests.explorer.memory import Turn
from tests.explorer.scene import Actor, Scene
from tests.explorer.tables import StepRunRow, batch_of, flush, read_runs
from workflows.services.work import tell_outcome
from workflows.states import Cause, Reason
from workflows.steps.base import UNKNOWN, Outcome
from workflows.store.rows import status_after

LEASE = timedelta(minutes=1)


class AttemptRow(NamedTuple):
    """One try."""

    worker: str
    fence: int
    status: str = "running"


def works(name: str) -> Actor:
    """turn.work_turn for one piece: claim, commit, look, send, finish in a second transaction."""
    return Actor(name, (_claim, commit, _look, _send, _lock, _finish, commit), may_die=True)


def _claim(turn: Turn, scene: Scene) -> None:
    """work._CLAIM, lost_attempts.lose_attempt and work._ATTEMPT"""
    due = [work for work in turn.select("steprun") if _is_due(turn, work) and turn.lock_free("steprun", work.id)]
    if not due:
        turn.leave("finds no work that is due")
        return
    work = due[0]
    if work.status == "running":
        lost = turn.get("attempt", (work.id, work.attempts_made))
        turn.update("attempt", (work.id, work.attempts_made), lost._replace(status="lost"))
    number, fence = work.attempts_made + 1, work.fence + 1
    until = turn.world.now() + LEASE
    mine = work._replace(status="running", fence=fence, attempts_made=number, due_at=until)
    turn.update("steprun", work.id, mine)
    turn.insert("attempt", (work.id, number), AttemptRow(turn.actor, fence))
    turn.keep("claim", mine)
    turn.keep("runs", (work.run_id,))
    turn.said = f"claims the work as attempt {number}, fence {fence}"


def _is_due(turn: Turn, work: StepRunRow) -> bool:
    taken_over = work.status == "running" and work.at_most_once and not turn.lacks(Guard.AT_MOST_ONCE)
    return work.due_at is not None and work.due_at <= clock(turn) and not work.held and not taken_over


def _look(turn: Turn, scene: Scene) -> None:
    """liveness.run_has_ended"""
    has_ended = turn.get("run", turn.kept("claim").run_id).finished_at is not None
    turn.keep("ended", has_ended)
    turn.said = "looks once more: the run " + ("has ended" if has_ended else "goes on")


def _send(turn: Turn, scene: Scene) -> None:
    """work.perform"""
    claim = turn.kept("claim")
    if turn.kept("ended") and not turn.lacks(Guard.SECOND_LOOK):
        turn.keep("outcome", "suppressed")
        turn.said = "sends nothing"
    else:
        turn.tell("sent", (claim.id, claim.attempts_made), turn.kept("ended"))
        turn.keep("outcome", "succeeded")
        turn.said = "sends it"


def _lock(turn: Turn, scene: Scene) -> None:
    """work.finish_work: the run is locked first."""
    turn.lock("run", turn.kept("claim").run_id)
    turn.said = "locks the run"


def _finish(turn: Turn, scene: Scene) -> None:
    """work._FINISH, work._FINISH_ATTEMPT, work._tell_run or work._stale"""
    claim = turn.kept("claim")
    turn.lock("steprun", claim.id)
    met = turn.get("steprun", claim.id)
    batch = batch_of(read_runs(turn, [claim.run_id]), scene.documents, clock(turn))
    if met.status == "running" and (met.fence == claim.fence or turn.lacks(Guard.FENCE)):
        outcome = Outcome(turn.kept("outcome"))
        turn.update("steprun", claim.id, met._replace(status=str(status_after(outcome.word)), due_at=None))
        _finish_attempt(turn, claim)
        _tell(batch, scene, claim, outcome)
        turn.said = f"finishes attempt {claim.attempts_made}: {outcome.word}"
    else:
        if not batch.runs[claim.run_id].facts.is_finished:
            batch.note(claim.run_id, Cause.STEP, claim.id, Reason.STALE_ATTEMPT, {"attempt": claim.attempts_made})
        turn.said = f"comes too late with attempt {claim.attempts_made}"
    flush(turn, batch)


def _finish_attempt(turn: Turn, claim: StepRunRow) -> None:
    attempt = turn.get("attempt", (claim.id, claim.attempts_made))
    if attempt.status == "running":
        turn.update("attempt", (claim.id, claim.attempts_made), attempt._replace(status="finished"))


def _tell(batch: Any, scene: Scene, claim: StepRunRow, outcome: Outcome) -> None:
    config = scene.loaded.document.by_key[claim.step].config
    tell_outcome(batch, claim.run_id, (config, claim.visit), outcome, claim.id, {"attempt": claim.attempts_made})


def ends_lost_work(name: str = "lost work") -> Actor:
    """lost_work.end_lost_work: what must not happen twice ends as unknown."""

    def find(turn: Turn, scene: Scene) -> None:
        rows = [work for work in turn.select("steprun") if work.status == "running" and work.at_most_once]
        lost = [work for work in rows if work.due_at <= clock(turn) and not work.held]
        if not lost:
            turn.leave("finds no lost work")
            return
        turn.keep("claim", lost[0])
        turn.said = f"finds attempt {lost[0].attempts_made} lost"

    def end(turn: Turn, scene: Scene) -> None:
        claim = turn.kept("claim")
        turn.lock("steprun", claim.id)
        met = turn.get("steprun", claim.id)
        batch = batch_of(read_runs(turn, [claim.run_id]), scene.documents, clock(turn))
        turn.said = "finds that somebody was faster"
        if met.status == "running" and met.due_at <= clock(turn) and not met.held:
            turn.update("steprun", claim.id, met._replace(status="unknown", due_at=None))
            attempt = turn.get("attempt", (claim.id, met.attempts_made))
            turn.update("attempt", (claim.id, met.attempts_made), attempt._replace(status="lost"))
            _tell(batch, scene, claim, Outcome(UNKNOWN))
            turn.said = "ends it as unknown"
        flush(turn, batch)

    return Actor(name, (find, _lock, end, commit), may_die=True)
