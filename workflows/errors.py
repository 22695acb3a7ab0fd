"""Refusals of the workflow engine."""

import uuid

from chimeway_py.errors import ChimewayError, Conflict, NotFound


class RunNotFound(NotFound):
    """No such run in this tenant."""

    code = "run_not_found"


class StepRunNotFound(NotFound):
    """No such step run in this tenant."""

    code = "step_run_not_found"


class ScheduleNotFound(NotFound):
    """No such schedule in this tenant."""

    code = "schedule_not_found"


class ScheduleExists(Conflict):
    """There is a schedule with this key already."""

    code = "schedule_exists"


class DefinitionOff(Conflict):
    """The definition is switched off and starts nothing. `detail` says at which level it is off."""

    code = "definition_off"


class StartConflict(Conflict):
    """A run was started before under this idempotency key with another request."""

    code = "start_conflict"


class RunNotEnded(Conflict):
    """The run is still under way; only a run that has ended can be replayed."""

    code = "run_not_ended"


class IrreversibleSteps(Conflict):
    """Steps that cannot be undone may have taken effect; say `allow_irreversible` to replay the run all the same."""

    code = "irreversible_steps"


class StartDataGone(Conflict):
    """What the run started with is not kept any more."""

    code = "start_data_gone"


class RunDataGone(Conflict):
    """What the run was started with, or what its steps brought back, is not kept any more: nothing is sent for it."""

    code = "run_data_gone"


class StaleAttempt(ChimewayError):
    """Another worker took this work over; what this one did is recorded and changes nothing."""

    code = "stale_attempt"
    status = 409


class RevisionMismatch(ChimewayError):
    """The run has moved on since the caller looked at it. `detail` names the revision expected and the actual one."""

    code = "revision_mismatch"
    status = 412

    @classmethod
    def check(cls, run: uuid.UUID | str, expected: int | None, actual: int) -> None:
        """Raises it when the run stands elsewhere than the caller saw; None is what a caller says who has not looked.

        Ask while the run is locked, or it may move on meanwhile.
        """
        if expected not in (None, actual):
            detail = {"run": str(run), "expected": expected, "actual": actual}
            raise cls(f"The run stands at revision {actual}, not {expected}.", detail)


class SubscriptionNotFound(NotFound):
    """No such event subscription in this tenant."""

    code = "subscription_not_found"


class SubscriptionDisabled(Conflict):
    """The event subscription is disabled; enable it before anything is sent to it."""

    code = "subscription_disabled"


class EventNotFound(NotFound):
    """No such event in this tenant, or it is not kept any more."""

    code = "event_not_found"
