"""What keeps the promises: each can be taken out, and the search must then find a schedule that breaks one."""

from enum import Enum


class Guard(Enum):
    """A guard of the service, and where it is."""

    LOOK_BACK = "a run that begins looks back for signals (services/look_back)"
    COMMIT_THEN_LOOK = "a start commits before anybody looks back for it (services/start)"
    LISTENERS_WITH_RUN = "listeners are written with the run, not with the wait (services/start)"
    ROW_LOCK = "who changes a run holds the lock of its row (store/load)"
    LOOK_AFTER_LOCK = "waits are read by a statement after the one that locks (store/load)"
    UNIQUE_SEQ = "a line of a trace has a number of its own (transition_run_seq)"
    ONE_TRANSACTION = "state and transitions are written in one transaction (store/write)"
    TOLD_ONCE = "a look-back skips signals that the run was told of (services/look_back)"
    KNOWN_VERDICTS = "routing skips runs that a look-back has told (services/route)"
    LATE_ASKS = "who tells an ended run that a signal is late asks what it was told (services/route)"
    LOCK_ORDER = "runs are locked in order of their ids (store/load)"
    ROUTING_LOCK = "routing shares a lock with whoever replaces listeners (store/switches)"
    REVISION = "a call with If-Match is refused when the run has moved on (services/control)"
    DATABASE_CLOCK = "times are judged by the clock of the database (services/advance)"
    SWEEP = "a sweep offers due work again (services/sweeping)"
    FENCE = "finishing needs the fence of the claim (services/work)"
    SECOND_LOOK = "a worker looks at the run once more before it sends (services/liveness)"
    MEET_AT_WORK = "ending a run holds its work, so that nobody claims it (store/write)"
    AT_MOST_ONCE = "work that must not happen twice is never taken over (services/work)"


Guards = frozenset[Guard]
NONE: Guards = frozenset()
