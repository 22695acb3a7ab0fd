"""Starts under the idempotency key of a run that was pruned: it must not run a second time."""

from collections.abc import Callable, Sequence

from tenants.sql import ask

_WITHDRAW = """
DELETE FROM workflows_run r USING workflows_tombstone t
 WHERE t.tenant_id = %s AND t.definition_key = %s AND t.idempotency_key = ANY(%s)
   AND r.tenant_id = t.tenant_id AND r.definition_key = t.definition_key AND r.idempotency_key = t.idempotency_key
RETURNING r.id
"""


def withdraw_buried(tenant_id: int, definition_key: str, keys: Sequence[str]) -> Callable[[], set[int]]:
    """Take back, of runs just inserted under these keys, those whose key is on a tombstone.

    Asked after the insert: a prune that was under way had to commit before the insert could find its key free, so its
    tombstone is in sight of this statement. What is returned gives their ids; see `tenants.sql.ask`.
    """
    if not keys:
        return set
    withdrawn = ask(_WITHDRAW, [tenant_id, definition_key, list(keys)])
    return lambda: {id_ for (id_,) in withdrawn()}
