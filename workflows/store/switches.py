"""Kill switches as the engine reads them: once per batch, under a lock that whoever switches waits for.

Everything that moves runs or claims their work shares the tenant's switch lock until its transaction ends, and
`lock_switches` owns it. So whoever has switched a definition off knows that what was under way has been committed, and
that whatever comes later sees the switch.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tenants.sql import execute, fetch
from workflows.engine.events import HeldBySwitch
from workflows.models.switch import SwitchLevel
from workflows.states import Cause

Switch = Mapping[str, Any]
LOCK_SPACE = 0x571  # the function `switched_off` says the same number
ROUTING_SPACE = 0x572
_OWN = "SELECT pg_advisory_xact_lock(%s, (%s %% 2147483647)::int)"
_SETTLED = """
SELECT pg_advisory_lock(%s, (%s %% 2147483647)::int), clock_timestamp(), pg_advisory_unlock(%s, (%s %% 2147483647)::int)
"""
# As `OFF`, in the second column; no listeners are replaced from then on until the transaction ends.
OFF_FOR_ROUTING = "SELECT pg_advisory_xact_lock_shared(%s, (%s %% 2147483647)::int), switched_off(%s)"
OFF = "SELECT switched_off(%s)"


def lock_switches(tenant_id: int) -> None:
    """Wait for what is under way in the tenant, and keep others waiting until this transaction ends."""
    execute(_OWN, [LOCK_SPACE, tenant_id])


def lock_routing(tenant_id: int) -> None:
    """Wait for the routing of signals that is under way, and keep others waiting until this transaction ends.

    For who replaces listeners of runs that live: a signal is routed by all the old ones or by all the new ones. Before
    any run is locked.
    """
    execute(_OWN, [ROUTING_SPACE, tenant_id])


def settled_clock(tenant_id: int) -> datetime:
    """The database clock at a moment when nothing was under way in the tenant.

    Runs that are changed from then on say a later time; those that say an earlier one are seen by the next statement.
    """
    at: datetime = fetch(_SETTLED, [LOCK_SPACE, tenant_id] * 2)[0][1]
    return at


def switched_off(tenant_id: int) -> dict[str, Switch]:
    """The switches of the tenant that are not on, by the key of the definition: `level`, `why`, `cause`, `ref`."""
    off: dict[str, Switch] = fetch(OFF, [tenant_id])[0][0]
    return off


def holds(switch: Switch | None) -> bool:
    """Whether runs under way are held."""
    return switch is not None and switch["level"] == SwitchLevel.ALL_OFF


def held_by(switch: Switch) -> HeldBySwitch:
    """What happens first to a run that the switch holds."""
    return HeldBySwitch(Cause(switch["cause"]), switch["ref"], switch["why"])
