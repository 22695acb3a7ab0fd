"""What a tenant owes now, asked in one trip to the server, so that a turn takes up only what is there."""

from typing import NamedTuple

from tenants.scope import peek
from workflows.services.work import MOST_LOST_ATTEMPTS

# The clock is a subquery, here and wherever due rows are looked for: an index is asked only what does not change, and a
# function that may answer anew for each row is compared with every row that is due some time.
_ENGINE = """
SELECT EXISTS (SELECT 1 FROM signals_app_signal WHERE tenant_id = %(tenant)s AND routed_at IS NULL
                AND (route_after IS NULL OR route_after <= clock_timestamp())),
       EXISTS (SELECT 1 FROM workflows_run WHERE tenant_id = %(tenant)s AND due_at <= (SELECT clock_timestamp())),
       EXISTS (SELECT 1 FROM workflows_definitionswitch WHERE tenant_id = %(tenant)s AND releasing),
       EXISTS (SELECT 1 FROM workflows_schedule WHERE tenant_id = %(tenant)s AND next_at <= (SELECT clock_timestamp()))
"""
_WORK = """
SELECT EXISTS (SELECT 1 FROM workflows_steprun
                WHERE tenant_id = %(tenant)s AND due_at <= (SELECT clock_timestamp()) AND NOT held),
       EXISTS (SELECT 1 FROM workflows_steprun
                WHERE tenant_id = %(tenant)s AND due_at <= (SELECT clock_timestamp())
                  AND NOT held AND status = 'running'
                  AND (at_most_once OR lost_attempts >= %(most_lost)s)),
       EXISTS (SELECT 1 FROM workflows_steprun
                WHERE tenant_id = %(tenant)s AND due_at <= (SELECT clock_timestamp()) AND held AND status = 'running')
"""


class EngineOwes(NamedTuple):
    """Which kinds of work the engine finds. Others may be at it: what is locked counts, too."""

    signals: bool
    runs: bool
    released: bool
    schedules: bool


class WorkOwed(NamedTuple):
    """Which kinds of owed work there are: due, lost with its worker, or in flight for a run that may have ended."""

    due: bool
    lost: bool
    forsaken: bool


def engine_owes(tenant_id: int) -> EngineOwes:
    """What there is for a turn of the engine."""
    return EngineOwes(*peek(tenant_id, _ENGINE, {"tenant": tenant_id})[0])


def work_owed(tenant_id: int) -> WorkOwed:
    """What there is for a turn of work."""
    return WorkOwed(*peek(tenant_id, _WORK, {"tenant": tenant_id, "most_lost": MOST_LOST_ATTEMPTS})[0])
