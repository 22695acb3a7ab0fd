"""Moving a run to another version of its definition, step by step, as `workflows/services/version_moves` has it."""

from tests.explorer.engine_actors import came_before, clock, commit, load
from tests.explorer.guards import Guard
from tests.explorer.memory import Turn
from tests.explorer.scene import Actor, Scene
from tests.explorer.tables import ListenerRow, batch_of, flush, locked
from workflows.engine.events import VersionChanged
from workflows.engine.matching import listener_keys
from workflows.engine.version_moves import MOVING, MoveOutcome, Place, Way, judge
from workflows.states import Cause
from workflows.store.rows import dumps


def moves() -> Actor:
    """version_moves.move_planned and _move, for one run, in one transaction."""
    return Actor("mover", (_keep_routers_out, _lock, load, _stand_on_it, _look_back, _move, commit))


def _keep_routers_out(turn: Turn, scene: Scene) -> None:
    """switches.lock_routing"""
    turn.said = "lets routers go on"
    if not turn.lacks(Guard.ROUTING_LOCK):
        turn.lock_alone("routing", 1)
        turn.said = "waits for those who route, and lets nobody begin"


def _lock(turn: Turn, scene: Scene) -> None:
    """load._LOCK"""
    turn.lock("run", 1)
    turn.keep("runs", (1,))
    turn.said = "locks run 1"


def _stand_on_it(turn: Turn, scene: Scene) -> None:
    """version_moves._judged, versions.stand_on, versions.listen_anew; a deleted listener is neither live nor at rest"""
    [run] = turn.kept("seen runs").runs
    outcome = judge(Way(scene.loaded.document, scene.later.document), Place(run.state, run.step))
    if outcome not in MOVING:
        turn.leave(f"lets the run stay: {outcome}")
        return
    turn.keep("outcome", str(outcome))
    turn.update("run", 1, run._replace(definition_id=scene.later.id))
    for one in list(turn.select("listener")):
        turn.update("listener", (1, one.name, one.key), one._replace(live=None))
    for name, key, rest in listener_keys(scene.later.document, locked(run, scene.documents).facts):
        turn.update("listener", (1, name, key), ListenerRow(1, name, key, dumps(dict(rest)), True))
    turn.said = "lets the run stand on the new version, with its listeners"


def _look_back(turn: Turn, scene: Scene) -> None:
    """look_back.early_signals, after the run was loaded again"""
    load(turn, scene)
    [run] = turn.kept("seen runs").runs
    early = tuple(came_before(turn, scene, run)) if run.state == "waiting" else ()
    turn.keep("early", early)
    turn.said = f"looks back and finds {len(early)} signals"


def _move(turn: Turn, scene: Scene) -> None:
    """version_moves._event, RunBatch.apply and flush"""
    batch = batch_of(turn.kept("seen runs"), scene.documents, clock(turn))
    step = batch.runs[1].facts.step
    event = VersionChanged(
        Cause.API,
        "mover",
        "",
        version_from=scene.loaded.version,
        version_to=scene.later.version,
        left=scene.loaded.document.by_key.get(step),
        step=step if step in scene.later.document.by_key else None,
        opens_anew=turn.kept("outcome") in (MoveOutcome.OPENED_ANEW, MoveOutcome.MAPPED),
        early=tuple(signal.facts() for signal in turn.kept("early")),
    )
    batch.apply(1, event)
    flush(turn, batch)
    turn.said = f"moves the run: {turn.kept('outcome')}"
