"""Sources as this process knows them: read at most once a second each, so that most webhooks ask for nothing.

A source that is disabled, deleted or given other secrets elsewhere is heeded here within that second. The database
clock goes on by this process's monotonic clock meanwhile: a machine with a wrong clock judges no signature by it.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chimeway_py.errors import NotFound
from signals_app.models import SignalSource
from tenants.scope import peek
from tenants.sql import fetch

FRESH = 1.0  # seconds
MOST = 10_000  # sources that a process remembers
_READ = ("public_id", "key", "scheme", "secrets", "mapping", "name_map", "enabled")
_SOURCE = f"""
SELECT clock_timestamp(), {", ".join(_READ)} FROM signals_app_signalsource WHERE tenant_id = %s AND public_id = %s
"""  # noqa: S608
_tenants: dict[uuid.UUID, int] = {}  # by the public id of the source
_known: dict[uuid.UUID, "_Known"] = {}


@dataclass(frozen=True, slots=True)
class _Known:
    row: SignalSource
    at: datetime  # by the database clock
    monotonic: float


def tenant_of_source(public_id: uuid.UUID) -> int | None:
    """Whose source it is. That never changes, so it is asked once per process."""
    if (known := _tenants.get(public_id)) is not None:
        return known
    ((tenant_id,),) = fetch("SELECT tenant_of_source(%s)", [public_id])
    if tenant_id is not None:
        _make_room(_tenants)
        _tenants[public_id] = tenant_id
    return tenant_id  # type: ignore[no-any-return]


def known_source(tenant_id: int, public_id: uuid.UUID) -> tuple[SignalSource, datetime]:
    """The source as it was at most a second ago, and the database clock. Raises `NotFound`."""
    now = time.monotonic()
    known = _known.get(public_id)
    if known is None or now >= known.monotonic + FRESH:
        rows = peek(tenant_id, _SOURCE, [tenant_id, public_id])
        if not rows:
            raise NotFound
        [(at, *columns)] = rows
        row = SignalSource(tenant_id=tenant_id, **dict(zip(_READ, columns, strict=True)))
        _make_room(_known)
        known = _known[public_id] = _Known(row, at, now)
    return known.row, known.at + timedelta(seconds=now - known.monotonic)


def forget_source(public_id: uuid.UUID) -> None:
    """Ask the database at the next webhook: this process has just changed the source."""
    _known.pop(public_id, None)


def _make_room(remembered: dict[uuid.UUID, Any]) -> None:
    if len(remembered) >= MOST:
        remembered.clear()
