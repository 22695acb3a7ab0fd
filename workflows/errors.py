"""Refusals of the workflow engine."""

from chimeway_py.errors import ChimewayError, Conflict, NotFound


class RunNotFound(NotFound):
    """No such run in this tenant."""

    code = "run_not_found"


class StepRunNotFound(NotFound):
    """No such step run in this tenant."""

    code = "step_run_not_found"


class StartConflict(Conflict):
    """A run was started before under this idempotency key with another request."""

    code = "start_conflict"


class StaleAttempt(ChimewayError):
    """Another worker took this work over; what this one did is recorded and changes nothing."""

    code = "stale_attempt"
    status = 409


class RevisionMismatch(ChimewayError):
    """The run has moved on since the caller looked at it. `detail` names the revision expected and the actual one."""

    code = "revision_mismatch"
    status = 412
