"""Sending events again: a range of them to one subscription, or a single one."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chimeway_py.errors import Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from tenants.scope import tenant_scope
from tenants.sql import fetch
from workflows.errors import EventNotFound, SubscriptionDisabled
from workflows.events.subscriptions import locked
from workflows.models import Event, EventDispatch, EventSubscription

MOST_AT_ONCE = 10_000
# Of what the subscription wants by its types now. What is owed or under way comes anyway.
_RANGE = """
  FROM workflows_event e
  LEFT JOIN workflows_eventdispatch d
    ON d.tenant_id = e.tenant_id AND d.event_id = e.id AND d.subscription_id = %(subscription)s
 WHERE e.tenant_id = %(tenant)s AND e.type <> 'ping' AND (%(types)s::text[] = '{}' OR e.type = ANY (%(types)s::text[]))
   AND (%(after)s::bigint IS NULL OR e.id > %(after)s::bigint)
   AND (%(since)s::timestamptz IS NULL OR e.occurred_at >= %(since)s::timestamptz)
   AND (%(until)s::timestamptz IS NULL OR e.occurred_at < %(until)s::timestamptz)
   AND (d.id IS NULL OR d.status = 'exhausted' OR (d.status = 'delivered' AND %(delivered)s))
"""
_COUNT = f"SELECT count(*) {_RANGE}"
_OWE = f"""
WITH chosen AS (SELECT e.id {_RANGE} ORDER BY e.id LIMIT %(most)s),
owed AS (
    INSERT INTO workflows_eventdispatch AS d
        (tenant_id, event_id, subscription_id, status, tries, attempts_made, fence, due_at, created_at)
    SELECT %(tenant)s, id, %(subscription)s, 'owed', 0, 0, 0, clock_timestamp(), clock_timestamp() FROM chosen
     ORDER BY id
    ON CONFLICT (tenant_id, event_id, subscription_id) DO UPDATE
        SET status = 'owed', tries = 0, due_at = clock_timestamp(), settled_at = NULL
      WHERE d.status IN ('exhausted', 'delivered')
    RETURNING d.event_id)
SELECT count(*), max(event_id) FROM owed
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many events a replay sends (or would send), and the one to go on after when more remain."""

    count: int
    next_after: UUID | None = None


def replay_events(
    *,
    tenant_id: int,
    key: str,
    since: datetime | None = None,
    until: datetime | None = None,
    after: UUID | None = None,
    include_delivered: bool = False,
    dry_run: bool = False,
) -> Replayed:
    """Owe a subscription the events of a range again, at most 10,000 a call, on a new schedule and under their old ids.

    The range is `since` (inclusive) to `until` (exclusive), or what was recorded after the event `after`. What was
    delivered is left out unless asked for. A dry run counts and writes nothing. Raises `SubscriptionNotFound`,
    `SubscriptionDisabled`, `EventNotFound` and `Invalid`.
    """
    if since is None and after is None:
        raise Invalid("The range is not valid.", [fault("/from", "required", "Say from when, or after which event.")])
    if since and until and until <= since:
        raise Invalid("The range is not valid.", [fault("/to", "bad_range", "Later than from.")])
    with tenant_scope(tenant_id):
        mine = _enabled(tenant_id, key)
        start = event_of(tenant_id, after).pk if after else None
        asked = {"tenant": tenant_id, "subscription": mine.pk, "types": mine.types, "most": MOST_AT_ONCE}
        asked |= {"since": since, "until": until, "after": start, "delivered": include_delivered}
        if dry_run:
            return Replayed(fetch(_COUNT, asked)[0][0])
        count, last = fetch(_OWE, asked)[0]
        nudge_after_commit("events", tenant_id)
        more = count >= MOST_AT_ONCE
        return Replayed(count, Event.objects.get(tenant_id=tenant_id, id=last).public_id if more else None)


def resend_event(*, tenant_id: int, event: UUID, key: str) -> EventDispatch:
    """Owe one event to a subscription (again), whatever its types say; one that is owed comes anyway.

    Raises `EventNotFound`, `SubscriptionNotFound` and `SubscriptionDisabled`.
    """
    with tenant_scope(tenant_id) as scope:
        found, mine = event_of(tenant_id, event), _enabled(tenant_id, key)
        fresh = EventDispatch(
            tenant_id=tenant_id, event=found, subscription=mine, due_at=scope.now, created_at=scope.now
        )
        EventDispatch.objects.bulk_create([fresh], ignore_conflicts=True)
        rows = EventDispatch.objects.filter(tenant_id=tenant_id, event=found, subscription=mine)
        rows.filter(settled_at__isnull=False).update(status="owed", tries=0, due_at=scope.now, settled_at=None)
        nudge_after_commit("events", tenant_id)
        return rows.get()


def event_of(tenant_id: int, event: UUID) -> Event:
    """The event, inside its tenant's scope. Raises `EventNotFound`."""
    found = Event.objects.filter(tenant_id=tenant_id, public_id=event).first()
    if found is None:
        raise EventNotFound
    return found


def _enabled(tenant_id: int, key: str) -> EventSubscription:
    mine = locked(tenant_id, key)
    if not mine.enabled:
        raise SubscriptionDisabled
    return mine
