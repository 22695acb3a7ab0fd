"""The turn of the lane `digests`: close what is due for one tenant. Bounded, so that tenants take turns."""

import time

from chimeway_py.turns import TURN_SECONDS, go_on
from workflows.digests.closing import close_due_digests


def digests_turn(*, tenant_id: int) -> int:
    """Close due digests until none is left or the turn is over; how many were taken up."""
    ends_at = time.monotonic() + TURN_SECONDS
    total = 0
    while taken := close_due_digests(tenant_id=tenant_id):
        total += taken
        if time.monotonic() >= ends_at:
            go_on("digests", tenant_id)
            break
    return total
