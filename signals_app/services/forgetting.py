"""Forgetting payloads at once, because whom they were about is erased."""

from collections.abc import Iterable

from django.db import connection

from signals_app.models import Collection
from signals_app.services.payload_names import unnamed

_LOCK = """
SELECT p.ctid::text FROM signals_app_payload p WHERE p.tenant_id = %s AND p.address = ANY (%s::bytea[]) AND {unnamed}
 ORDER BY p.address FOR UPDATE OF p SKIP LOCKED
"""
_DELETE = "DELETE FROM signals_app_payload p WHERE p.tenant_id = %s AND p.ctid = ANY (%s::text[]::tid[]) AND {unnamed}"
# One that a writer holds right now may yet lose its name: let the next round of the collection look at it, soon.
_AGE = """
UPDATE signals_app_payload p SET stored_at = '-infinity'
 WHERE p.tenant_id = %s AND p.address = ANY (%s::bytea[]) AND {unnamed}
"""


def forget_payloads(*, tenant_id: int, addresses: Iterable[bytes]) -> int:
    """Delete those of these payloads that nothing names any more; how many. Needs the tenant's scope.

    A payload that another subject's rows name as well is theirs too, and stays.
    """
    wanted = sorted(addresses)
    if not wanted:
        return 0
    condition = unnamed("p")
    with connection.cursor() as cursor:
        cursor.execute(_LOCK.format(unnamed=condition), [tenant_id, wanted])
        locked = [place for (place,) in cursor.fetchall()]
        cursor.execute(_DELETE.format(unnamed=condition), [tenant_id, locked])
        gone = int(cursor.rowcount)
        cursor.execute(_AGE.format(unnamed=condition), [tenant_id, wanted])
        if cursor.rowcount:
            Collection.objects.filter(tenant_id=tenant_id).update(finished_at=None, cursor=0)
        return gone
