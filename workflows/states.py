"""States, causes and reasons of runs, and the only table of allowed moves.

Imports nothing of ours but the error base.
"""

from django.db.models import TextChoices

from chimeway_py.errors import ChimewayError


class RunState(TextChoices):
    """Where a run stands."""

    PENDING = "pending"  # created or scheduled, not yet advanced
    ACTIVE = "active"  # work is owed or under way
    WAITING = "waiting"  # parked on a wait
    PAUSED = "paused"  # held by an operator
    COMPLETED = "completed"  # went through
    STOPPED = "stopped"  # a rule of the definition ended it
    CANCELLED = "cancelled"  # somebody ended it
    FAILED = "failed"  # it could not go on
    EXPIRED = "expired"  # its deadline passed


S = RunState
TERMINAL = frozenset({S.COMPLETED, S.STOPPED, S.CANCELLED, S.FAILED, S.EXPIRED})
LIVE = frozenset(S) - TERMINAL
_ENDS = frozenset(TERMINAL)

#: from state -> states it may move to. The empty state is "does not exist yet".
MOVES: dict[str, frozenset[RunState]] = {
    "": frozenset({S.PENDING}),
    S.PENDING: frozenset({S.PENDING, S.ACTIVE, S.PAUSED}) | (_ENDS - {S.COMPLETED}),
    S.ACTIVE: frozenset({S.ACTIVE, S.WAITING, S.PAUSED}) | _ENDS,
    S.WAITING: frozenset({S.ACTIVE, S.WAITING, S.PAUSED}) | (_ENDS - {S.COMPLETED}),
    S.PAUSED: frozenset({S.PENDING, S.ACTIVE, S.WAITING, S.PAUSED}) | (_ENDS - {S.COMPLETED}),
    **{state: frozenset() for state in TERMINAL},
}


class Cause(TextChoices):
    """What made a transition happen."""

    TRIGGER = "trigger"  # the start call or start signal
    STEP = "step"  # the engine going on by itself
    SIGNAL = "signal"
    TIMER = "timer"
    OPERATOR = "operator"
    API = "api"
    SWEEP = "sweep"


class Reason(TextChoices):
    """The closed list of reasons in transitions and explanations."""

    CREATED = "created"
    STARTED = "started"
    SCHEDULED = "scheduled"
    STEP_OWED = "step_owed"
    STEP_SETTLED = "step_settled"
    RETRY_SCHEDULED = "retry_scheduled"
    WORK_HELD = "work_held"
    WORK_RELEASED = "work_released"
    DIGEST_JOINED = "digest_joined"
    DIGESTED = "digested"
    OUTCOME_NOTED = "outcome_noted"
    BRANCH_TAKEN = "branch_taken"
    WAIT_OPENED = "wait_opened"
    SIGNAL_MATCHED = "signal_matched"
    EARLY_SIGNAL_USED = "early_signal_used"
    SIGNAL_BUFFERED = "signal_buffered"
    SIGNAL_REJECTED = "signal_rejected"
    WAIT_TIMED_OUT = "wait_timed_out"
    WOKEN = "woken"
    APPROVAL_ASKED = "approval_asked"
    REMINDED = "reminded"
    APPROVED = "approved"
    REJECTED = "rejected"
    LAST_STEP_DONE = "last_step_done"
    RULE_COMPLETED = "rule_completed"
    RULE_STOPPED = "rule_stopped"
    PAUSED = "paused"
    DEFINITION_OFF = "definition_off"
    OUTCOME_HELD = "outcome_held"
    RESUMED = "resumed"
    TIMES_CHANGED = "times_changed"
    VERSION_CHANGED = "version_changed"
    CANCELLED = "cancelled"
    CANCELLED_BEFORE_START = "cancelled_before_start"
    DEADLINE_PASSED = "deadline_passed"
    STEP_QUARANTINED = "step_quarantined"
    UNKNOWN_OUTCOME = "unknown_outcome"
    ATTEMPT_LOST = "attempt_lost"
    STALE_ATTEMPT = "stale_attempt"
    STEP_KIND_UNKNOWN = "step_kind_unknown"
    ENGINE_ERROR = "engine_error"
    NOTE_ADDED = "note_added"
    COMPENSATION_OWED = "compensation_owed"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"
    COMPENSATION_UNKNOWN = "compensation_unknown"
    COMPENSATION_NEEDLESS = "compensation_needless"


def reasons() -> list[tuple[str, str]]:
    """Every reason with its label. The columns ask here, so that a new reason needs no migration."""
    return list(Reason.choices)


#: Told in a transition while the run stays where it is: these leave its status, the reason why it stands there, alone.
NOTED = frozenset(
    {
        Reason.STEP_SETTLED,
        Reason.RETRY_SCHEDULED,
        Reason.WORK_HELD,
        Reason.WORK_RELEASED,
        Reason.OUTCOME_NOTED,
        Reason.SIGNAL_BUFFERED,
        Reason.SIGNAL_REJECTED,
        Reason.REMINDED,
        Reason.TIMES_CHANGED,
        Reason.VERSION_CHANGED,
        Reason.ATTEMPT_LOST,
        Reason.STALE_ATTEMPT,
        Reason.ENGINE_ERROR,
        Reason.NOTE_ADDED,
        Reason.COMPENSATION_OWED,
        Reason.COMPENSATED,
        Reason.COMPENSATION_FAILED,
        Reason.COMPENSATION_UNKNOWN,
        Reason.COMPENSATION_NEEDLESS,
    }
)
#: How an ended run is undone.
UNDOING = frozenset(
    {
        Reason.COMPENSATION_OWED,
        Reason.COMPENSATED,
        Reason.COMPENSATION_FAILED,
        Reason.COMPENSATION_UNKNOWN,
        Reason.COMPENSATION_NEEDLESS,
    }
)
#: What may still be noted of a run that has ended: how its steps are undone.
NOTED_AFTER_END = UNDOING | {
    Reason.RETRY_SCHEDULED,
    Reason.WORK_HELD,
    Reason.WORK_RELEASED,
    Reason.ATTEMPT_LOST,
    Reason.STALE_ATTEMPT,
}


class InvalidTransition(ChimewayError):
    """A run cannot move between these states."""

    code = "invalid_transition"
    status = 409

    def __init__(self, from_state: str, to_state: str) -> None:
        ended = f"The run has ended: it is {to_state}, and nothing more is noted of it."
        super().__init__(
            ended
            if from_state == to_state in TERMINAL
            else f"A run cannot move from {from_state or 'nothing'} to {to_state}.",
            {"from_state": from_state, "to_state": to_state},
        )


def is_allowed(from_state: str, to_state: str, reason: str) -> bool:
    """Whether a transition may be written: a move of the table, or a note on how an ended run is undone."""
    if to_state in MOVES.get(from_state, ()):
        return True
    return from_state == to_state and from_state in TERMINAL and reason in NOTED_AFTER_END


def check_move(from_state: str, to_state: str, reason: str = "") -> None:
    """Raise `InvalidTransition` unless that is allowed."""
    if not is_allowed(from_state, to_state, reason):
        raise InvalidTransition(from_state, to_state)
