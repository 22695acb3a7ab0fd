"""Which tenants are limited, as this process knows it: asked anew at most once a second, and only for what changed.

A tenant without limits is found here without a statement. What counts is not here but in the database: a process that
has not heard of a new limit yet lets through what comes within that second, and no process ever counts by itself.
"""

import threading
import time
from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from tenants.limits.kinds import LimitKind
from tenants.sql import fetch

FRESH = 1.0  # seconds
# A change becomes visible when its transaction commits, which is later than its time says: look back further.
_OVERLAP = "2 minutes"
_CHANGED = """
SELECT tenant_id, kind, amount, is_default, changed_at
  FROM limits_changed_since(coalesce(%s::timestamptz, '-infinity') - %s::interval)
"""

_own: dict[int, dict[str, int | None]] = {}  # tenant -> limit -> amount, or None for unlimited
_seen: datetime | None = None  # the newest change that this process knows
_next = float("-inf")
_lock = threading.Lock()


def limits_of(tenant_id: int) -> Mapping[str, int]:
    """The limits of a tenant: its own, else those of `TENANT_LIMITS`. Almost always empty."""
    if time.monotonic() >= _next:
        _refresh()
    defaults: Mapping[str, int] = settings.TENANT_LIMITS
    own = _own.get(tenant_id)
    if own is None:
        return defaults
    return {kind: amount for kind, amount in {**defaults, **own}.items() if amount is not None}


def look_again() -> None:
    """Ask the database at the next question: this process has just changed something."""
    global _next
    _next = float("-inf")


def _refresh() -> None:
    """One thread asks; the others go on with what is known, unless something has just changed here."""
    global _next, _seen
    if not _lock.acquire(blocking=_next == float("-inf")):
        return
    try:
        if time.monotonic() < _next:
            return
        changed = fetch(_CHANGED, [_seen, _OVERLAP])
        for tenant_id, kind, amount, is_default, changed_at in changed:
            _note(tenant_id, kind, amount, is_default)
            _seen = max(_seen or changed_at, changed_at)
        _next = time.monotonic() + FRESH
    finally:
        _lock.release()


def _note(tenant_id: int, kind: str, amount: int | None, is_default: bool) -> None:
    """Replaced as a whole: other threads read it without a lock."""
    own = {name: value for name, value in _own.get(tenant_id, {}).items() if name != kind}
    if not is_default:
        own[kind] = amount
    if own and kind in LimitKind.values:
        _own[tenant_id] = own
    elif not own:
        _own.pop(tenant_id, None)
