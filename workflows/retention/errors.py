"""Refusals of retention."""

from chimeway_py.errors import Conflict, NotFound


class PlanChanged(Conflict):
    """What would be pruned is no longer what the plan said. Nothing was pruned; make a new plan."""

    code = "plan_changed"


class NoArchive(Conflict):
    """There is no folder to write archives to: set RETENTION_ARCHIVE_DIR."""

    code = "no_archive"


class SubjectHeld(Conflict):
    """A legal hold is on the subject, on a run of it or on the definition of one. Nothing was erased."""

    code = "subject_held"


class HoldNotFound(NotFound):
    """No such legal hold in this tenant."""

    code = "hold_not_found"


class TombstoneNotFound(NotFound):
    """No run of this tenant that was pruned has this id."""

    code = "tombstone_not_found"


class PolicyNotFound(NotFound):
    """The tenant has no policy for this: it is kept for ever."""

    code = "policy_not_found"


class OrderNotFound(NotFound):
    """No such order in this tenant."""

    code = "prune_order_not_found"
