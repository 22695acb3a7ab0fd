"""Claiming what is owed to one subscription, and finishing it: under a lease with a fence, like all owed work.

A healthy receiver gets several claims at a time; one that fails gets a single event after each hold, so that a dead one
costs a worker one timeout now and then and nobody else anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from tenants.scope import tenant_scope
from tenants.sql import arrays, execute, fetch, insert, update
from workflows.events.health import note_health
from workflows.events.message import TOTAL_SECONDS, Told, Tried
from workflows.events.schedule import next_try
from workflows.models import DispatchStatus, EventSubscription

log = structlog.get_logger(__name__)

LEASE_SECONDS = 60.0
SENDING_SECONDS = LEASE_SECONDS - 2 * TOTAL_SECONDS  # no further event of a claim is begun after these
BATCH = 10
MOST_RUNNING = 40  # events under way to one healthy receiver
# The longest waiting first. A subscription that another worker is claiming from just now is left to it.
_CHOOSE = """
SELECT s.id, s.failing_since IS NOT NULL,
       (SELECT count(*) FROM workflows_eventdispatch d
         WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.id AND d.status = 'running'
           AND d.due_at > clock_timestamp())
  FROM workflows_eventsubscription s
 WHERE s.tenant_id = %s AND s.enabled AND NOT s.id = ANY (%s)
   AND (s.hold_until IS NULL OR s.hold_until <= clock_timestamp())
   AND EXISTS (SELECT 1 FROM workflows_eventdispatch d WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.id
                  AND d.due_at <= (SELECT clock_timestamp()))
 ORDER BY (SELECT min(d.due_at) FROM workflows_eventdispatch d
            WHERE d.tenant_id = s.tenant_id AND d.subscription_id = s.id)
 LIMIT 1 FOR NO KEY UPDATE OF s SKIP LOCKED
"""
_CLAIM = """
WITH due AS (
    SELECT id, status FROM workflows_eventdispatch
     WHERE tenant_id = %s AND subscription_id = %s AND due_at <= (SELECT clock_timestamp())
     ORDER BY due_at, id LIMIT %s FOR NO KEY UPDATE SKIP LOCKED),
claimed AS (
    UPDATE workflows_eventdispatch d SET status = 'running', fence = d.fence + 1, tries = d.tries + 1,
        attempts_made = d.attempts_made + 1, due_at = clock_timestamp() + make_interval(secs => %s)
      FROM due WHERE d.tenant_id = %s AND d.id = due.id
    RETURNING d.id, d.event_id, d.fence, d.tries, d.attempts_made, due.status = 'running' AS lost)
SELECT c.id, c.fence, c.tries, c.attempts_made, c.lost, e.public_id, e.type, e.data, e.occurred_at, clock_timestamp()
  FROM claimed c JOIN workflows_event e ON e.tenant_id = %s AND e.id = c.event_id ORDER BY c.event_id
"""
_SETTLED = {"id": "bigint", "fence": "int", "status": "text", "due_at": "timestamptz", "settled_at": "timestamptz"}
_SETTLE = update("workflows_eventdispatch", _SETTLED, where="t.fence = u.fence AND t.status = 'running'")
_RELEASE = """
UPDATE workflows_eventdispatch SET status = 'owed', tries = tries - 1, attempts_made = attempts_made - 1,
    due_at = clock_timestamp()
 WHERE tenant_id = %s AND status = 'running' AND (id, fence) IN (SELECT * FROM unnest(%s::bigint[], %s::int[]))
"""
_ATTEMPT = {
    "dispatch_id": "bigint",
    "number": "int",
    "status_code": "smallint",
    "error": "text",
    "started_at": "timestamptz",
    "duration_ms": "int",
}
# One that was given up as lost, and comes back late, has its line already.
_ATTEMPTS = insert(
    "workflows_eventattempt",
    _ATTEMPT,
    "ON CONFLICT (tenant_id, dispatch_id, number) DO UPDATE SET status_code = excluded.status_code, "
    "error = excluded.error, started_at = excluded.started_at, duration_ms = excluded.duration_ms",
)


@dataclass(frozen=True, slots=True)
class Owed:
    """One claimed event."""

    dispatch_id: int
    fence: int
    tries: int
    number: int
    told: Told


@dataclass(frozen=True, slots=True)
class EventClaim:
    """Some events of one subscription, oldest first, and what sending them needs."""

    tenant_id: int
    subscription_id: int
    url: str
    secrets: list[str]
    owed: list[Owed]


def claim_events(*, tenant_id: int, busy: Sequence[int] = ()) -> EventClaim | None:
    """Claim due events of one subscription, none of those in `busy`; or None. They last `LEASE_SECONDS`."""
    with tenant_scope(tenant_id) as scope:
        passed_over = list(busy)
        while chosen := fetch(_CHOOSE, [tenant_id, passed_over]):
            subscription_id, is_failing, running = chosen[0]
            room = 1 - running if is_failing else min(BATCH, MOST_RUNNING - running)
            if room > 0 and (owed := _claim(tenant_id, subscription_id, room)):
                mine = EventSubscription.objects.get(tenant_id=tenant_id, id=subscription_id)
                return EventClaim(tenant_id, subscription_id, mine.url, mine.live_secrets(scope.now), owed)
            passed_over.append(subscription_id)  # other workers send it as much as it may have
        return None


def _claim(tenant_id: int, subscription_id: int, room: int) -> list[Owed]:
    rows = fetch(_CLAIM, [tenant_id, subscription_id, room, LEASE_SECONDS, tenant_id, tenant_id])
    lost = [(row[0], row[3] - 1, None, "worker_lost", row[9], None) for row in rows if row[4]]
    if lost:
        execute(_ATTEMPTS, [tenant_id, *arrays(lost, _ATTEMPT)])
    return [Owed(row[0], row[1], row[2], row[3], Told(*row[5:9])) for row in rows]


def finish_events(*, claim: EventClaim, tried: Sequence[Tried]) -> None:
    """Record how the first of the claimed events went, and give back the others.

    What another worker took over meanwhile is recorded as an attempt and changes nothing.
    """
    with tenant_scope(claim.tenant_id) as scope:
        rows = EventSubscription.objects.select_for_update(no_key=True)
        mine = rows.filter(tenant_id=claim.tenant_id, id=claim.subscription_id).first()
        if mine is None:
            return  # it was deleted, and what was owed to it
        note_health(mine, tried, scope.now)
        pairs = list(zip(claim.owed, tried, strict=False))
        settled = [_settled(mine, owed, one, scope.now) for owed, one in pairs]
        if settled:
            written = execute(_SETTLE, [claim.tenant_id, *arrays(settled, _SETTLED)])
            if written < len(settled):
                log.warning("stale_event_attempt", tenant_id=claim.tenant_id, stale=len(settled) - written)
            execute(_ATTEMPTS, [claim.tenant_id, *arrays([_attempt(*pair) for pair in pairs], _ATTEMPT)])
        if left := claim.owed[len(tried) :]:
            execute(_RELEASE, [claim.tenant_id, [one.dispatch_id for one in left], [one.fence for one in left]])


def _settled(
    mine: EventSubscription, owed: Owed, one: Tried, now: datetime
) -> tuple[int, int, str, datetime | None, datetime | None]:
    """A row of `_SETTLED`."""
    if one.succeeded:
        return owed.dispatch_id, owed.fence, DispatchStatus.DELIVERED.value, None, now
    again = next_try(owed.tries, now, one.called.retry_after)
    if again is None:
        return owed.dispatch_id, owed.fence, DispatchStatus.EXHAUSTED.value, None, now
    return owed.dispatch_id, owed.fence, DispatchStatus.OWED.value, again, None


def _attempt(owed: Owed, one: Tried) -> tuple[int, int, int | None, str, datetime, int]:
    """A row of `_ATTEMPT`."""
    status = one.called.answer.status if one.called.answer else None
    return owed.dispatch_id, owed.number, status, one.called.error[:100], one.started_at, one.duration_ms
