"""Who meets whom, and which scenario shows what each guard is for."""

from functools import cache

from tests.explorer.engine_actors import advances, cancels, passes, pauses, resumes, routes, sends, starts
from tests.explorer.guards import Guard, Guards
from tests.explorer.move_actors import moves
from tests.explorer.scene import PAID, scene
from tests.explorer.search import Scenario
from tests.explorer.work_actors import ends_lost_work, works

START = "a run starts while its signal arrives"
OPENING = "a wait opens while a signal arrives"
TWO_WAITS = "a signal comes to a run of two waits"
INSTANT = "signal, timer, cancel and sweep at one instant"
MOVE = "a run is moved to a version that waits for a signal that arrives"
WORKERS = "two workers, a lease that runs out and a cancel"
GRACE = {"key": "grace", "kind": "wait", "for": "PT10M", "signals": [PAID | {"then": "complete"}]}
FIRST = {"key": "first", "kind": "wait", "for": "PT10M", "signals": [PAID]}
SECOND = {"key": "second", "kind": "wait", "for": "PT10M", "signals": [PAID]}
OTHER = {"key": "grace", "kind": "wait", "for": "PT10M", "signals": [PAID | {"name": "invoice.void"}]}
CALL = {"key": "call", "kind": "http", "method": "POST", "url": "https://example.org/"}
ONCE = CALL | {"at_most_once": True}


@cache
def scenarios() -> dict[str, Scenario]:
    """Every scenario, by name."""
    waits, works_once, works_again = scene([GRACE]), scene([ONCE, GRACE]), scene([CALL, GRACE])
    begun = starts(1), advances()
    told = scene([FIRST, SECOND])
    made = [
        Scenario(START, waits, (starts(1), sends(1), routes(), advances()), deaths=2),
        Scenario(OPENING, waits, (sends(1), routes(), advances()), (starts(1),), deaths=2),
        Scenario(
            TWO_WAITS,
            told,
            (routes(), advances(), routes("sweep 1"), advances("sweep 2")),
            (starts(1), sends(1)),
            deaths=2,
        ),
        Scenario(
            "two signals come to a run of two waits",
            scene([FIRST, SECOND], signals=2),
            (sends(1), routes("router 1", at_most=1), routes("router 2", at_most=1), advances()),
            (sends(2), starts(1)),
            deaths=1,
        ),
        Scenario(
            INSTANT,
            waits,
            (routes(), advances("timer"), cancels(), routes("sweep")),
            (*begun, sends(1), passes(10)),
            deaths=2,
        ),
        Scenario(
            "a signal arrives while a wait opens and somebody cancels",
            waits,
            (routes(), advances(), cancels()),
            (starts(1), sends(1)),
            deaths=1,
        ),
        Scenario(
            "somebody pauses and resumes while a signal and a timer come",
            told,
            (pauses(), resumes(), routes(), advances("timer")),
            (*begun, sends(1), passes(10)),
            deaths=1,
        ),
        Scenario(
            "everything at once",
            told,
            (starts(1), sends(1), routes("router 1"), routes("router 2"), advances(), cancels()),
            deaths=1,
        ),
        Scenario(
            MOVE,
            scene([OTHER], later=[GRACE]),
            (sends(1), routes(), moves(), routes("sweep")),
            begun,
            deaths=2,
        ),
        Scenario("a worker's clock is an hour ahead", waits, (advances("timer", ahead=60), sends(1), routes()), begun),
        Scenario(
            "two signals for the same two runs",
            scene([FIRST, SECOND], runs=2, signals=2),
            (routes("router 1", at_most=1), routes("router 2", at_most=1)),
            (starts(1), starts(2), advances(), sends(1), sends(2)),
            deaths=1,
        ),
        Scenario(
            "somebody cancels what they saw a moment ago",
            told,
            (cancels(sees_first=True), routes(), advances("timer")),
            (*begun, sends(1), passes(10)),
        ),
        Scenario(
            WORKERS,
            works_again,
            (works("worker 1"), works("worker 2"), passes(5), cancels()),
            begun,
            deaths=2,
        ),
        Scenario(
            "work that must not happen twice",
            works_once,
            (works("worker 1"), works("worker 2"), ends_lost_work(), passes(5)),
            begun,
            deaths=1,
        ),
    ]
    return {one.name: one for one in made}


#: What is taken out, and the scenario in which the search must find what then goes wrong, and what that is.
SHOWN: tuple[tuple[Guards, str, str], ...] = (
    (frozenset({Guard.LOOK_BACK}), START, "A wake-up is lost"),
    (frozenset({Guard.COMMIT_THEN_LOOK}), START, "A wake-up is lost"),
    (frozenset({Guard.LISTENERS_WITH_RUN}), OPENING, "A wake-up is lost"),
    (frozenset({Guard.LOOK_AFTER_LOCK}), OPENING, "A wake-up is lost"),
    (frozenset({Guard.TOLD_ONCE}), TWO_WAITS, "A signal counts twice"),
    (frozenset({Guard.KNOWN_VERDICTS}), TWO_WAITS, "A signal counts twice"),
    (frozenset({Guard.LATE_ASKS}), START, "A verdict is wrong"),
    (frozenset({Guard.ROW_LOCK}), INSTANT, "A transaction is refused"),
    (
        frozenset({Guard.ROW_LOCK, Guard.UNIQUE_SEQ}),
        INSTANT,
        "Two winners",
    ),
    (frozenset({Guard.ONE_TRANSACTION}), OPENING, "A trace does not verify"),
    (frozenset({Guard.SWEEP}), OPENING, "A signal has no verdict"),
    (frozenset({Guard.LOCK_ORDER}), "two signals for the same two runs", "Stuck"),
    (frozenset({Guard.ROUTING_LOCK}), MOVE, "A wake-up is lost"),
    (frozenset({Guard.REVISION}), "somebody cancels what they saw a moment ago", "If-Match is not kept"),
    (frozenset({Guard.DATABASE_CLOCK}), "a worker's clock is an hour ahead", "A timer fires early"),
    (frozenset({Guard.FENCE}), WORKERS, "A stale worker changed something"),
    (
        frozenset({Guard.SECOND_LOOK}),
        WORKERS,
        "although its worker could see",
    ),
    (
        frozenset({Guard.SECOND_LOOK, Guard.MEET_AT_WORK}),
        WORKERS,
        "named nothing in flight",
    ),
    (frozenset({Guard.AT_MOST_ONCE}), "work that must not happen twice", "must not happen twice"),
)
