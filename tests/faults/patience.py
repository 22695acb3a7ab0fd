"""How long the service let its callers wait before it said that it cannot: 503 comes soon, or the caller hangs.

A web process waits two seconds for a connection to PostgreSQL, and none of its requests asks the broker. Only where
PostgreSQL takes a request and then says nothing, a statement has to be waited for. What took `SLOW` seconds is judged:
those two, and two more that a busy machine may take.
"""

from collections.abc import Iterable, Iterator, Sequence

from tests.faults.calls import SLOW, Slow
from tests.faults.chaos import Broken

#: while these go on, PostgreSQL holds what it was asked, or answers late
SILENT = {"hold_locks", "silence_database_link", "slow_database_link"}
SETTLES = 12.0  # seconds: as long as a caller waits, for what was asked meanwhile


def hung(slow: Iterable[Slow], faults: Sequence[Broken]) -> Iterator[str]:
    """Each answer that came too late to be an honest refusal, or while only the broker was away."""
    for one in (one for one in slow if one.seconds > SLOW):
        meanwhile = {fault.kind for fault in faults if _overlaps(one, fault)}
        broker = bool(meanwhile) and all("broker" in kind for kind in meanwhile)
        if not meanwhile & SILENT and (one.status == 503 or broker):
            during = ", ".join(sorted(meanwhile)) or "nothing that was broken"
            yield f"{one.call} answered {one.status} after {one.seconds:.1f} s, during {during}"


def _overlaps(one: Slow, fault: Broken) -> bool:
    ended = fault.mended or float("inf")
    settles = SETTLES if fault.kind in SILENT else 1.0
    return bool(fault.began) and fault.began <= one.at and one.at - one.seconds <= ended + settles
