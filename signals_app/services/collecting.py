"""Collecting payloads that nothing names, a bounded part at a time, beside writers who may be about to name one.

First lock what is unnamed, then look again and delete. A writer that met the row before our lock holds a share lock,
and we pass by; or has committed, and the second look, a statement of its own, sees the name. A writer that comes after
our lock waits for us, finds the row gone and writes it again (`write_payloads`).
"""

import time
from dataclasses import dataclass

from django.db import connection

from signals_app.models import Collection
from signals_app.services.payload_names import unnamed
from tenants.scope import tenant_scope

PART = 2000  # payloads looked at in one transaction
ROUND_EVERY = 86_400  # seconds
YOUNG = 3_600  # seconds; younger ones are left alone: whoever wrote one may name it in a second transaction

_WINDOW = """
SELECT coalesce(max(id), 0), count(*) FROM
    (SELECT id FROM signals_app_payload WHERE tenant_id = %s AND id > %s ORDER BY id LIMIT %s) AS part
"""
_UNNAMED = """
SELECT p.ctid::text FROM signals_app_payload p
 WHERE p.tenant_id = %s AND p.id > %s AND p.id <= %s
   AND p.stored_at < clock_timestamp() - make_interval(secs => %s) AND {unnamed}
 ORDER BY p.id {lock}
"""
_DUE = "SELECT * FROM tenants_to_collect(clock_timestamp() - make_interval(secs => %s), 1000)"
# By their places on disk: a row that we hold a lock on does not move.
_DELETE = "DELETE FROM signals_app_payload p WHERE p.tenant_id = %s AND p.ctid = ANY (%s::text[]::tid[]) AND {unnamed}"


@dataclass(frozen=True, slots=True)
class Collected:
    """What one part came to. `cursor` is where the next part begins; None when the round is over."""

    looked_at: int
    collected: int
    cursor: int | None


def collect_payloads(*, tenant_id: int, most: int = PART) -> Collected:
    """Take away what nothing names among the next `most` payloads of a tenant. Two at once share the work."""
    with tenant_scope(tenant_id) as scope:
        Collection.objects.bulk_create([Collection(tenant_id=tenant_id)], ignore_conflicts=True)
        mine = Collection.objects.filter(tenant_id=tenant_id).select_for_update(no_key=True).get()
        last, looked_at = _window(tenant_id, mine.cursor, most)
        taken = _take(tenant_id, mine.cursor, last)
        is_over = looked_at < most
        mine.cursor, mine.collected = 0 if is_over else last, mine.collected + taken
        mine.finished_at = scope.now if is_over else mine.finished_at
        mine.save(update_fields=["cursor", "collected", "finished_at"])
        return Collected(looked_at, taken, None if is_over else last)


def find_unnamed(*, tenant_id: int, after: int = 0, most: int = PART) -> Collected:
    """What `collect_payloads` would take away among `most` payloads after an id. Changes nothing."""
    with tenant_scope(tenant_id):
        last, looked_at = _window(tenant_id, after, most)
        found = len(_unnamed(tenant_id, after, last, lock=""))
        return Collected(looked_at, found, last if looked_at == most else None)


def collect_for(seconds: float) -> int:
    """Collect for tenants whose last round is a day ago, for about so long; how many payloads were taken away."""
    ends_at, taken = time.monotonic() + seconds, 0
    for tenant_id in _due():
        part = Collected(0, 0, 0)
        while part.cursor is not None:
            if time.monotonic() >= ends_at:
                return taken
            part = collect_payloads(tenant_id=tenant_id)
            taken += part.collected
    return taken


def _window(tenant_id: int, after: int, most: int) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_WINDOW, [tenant_id, after, most])
        last, looked_at = cursor.fetchone()
        return int(last), int(looked_at)


def _take(tenant_id: int, after: int, last: int) -> int:
    locked = _unnamed(tenant_id, after, last, lock="FOR UPDATE OF p SKIP LOCKED")
    if not locked:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_DELETE.format(unnamed=unnamed("p")), [tenant_id, locked])
        return int(cursor.rowcount)


def _unnamed(tenant_id: int, after: int, last: int, *, lock: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_UNNAMED.format(unnamed=unnamed("p"), lock=lock), [tenant_id, after, last, YOUNG])
        return [place for (place,) in cursor.fetchall()]


def _due() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [ROUND_EVERY])
        return [tenant_id for (tenant_id,) in cursor.fetchall()]
