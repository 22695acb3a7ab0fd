"""Starts under the idempotency key of a run that was pruned: it must not run a second time."""

import uuid
from collections.abc import Sequence

from workflows.store.sql import fetch

_WITHDRAW = """
DELETE FROM workflows_run r USING workflows_tombstone t
 WHERE t.tenant_id = %s AND t.definition_key = %s AND t.idempotency_key = ANY(%s)
   AND r.tenant_id = t.tenant_id AND r.definition_key = t.definition_key AND r.idempotency_key = t.idempotency_key
RETURNING r.public_id
"""


def withdraw_buried(tenant_id: int, definition_key: str, keys: Sequence[str]) -> set[uuid.UUID]:
    """Take back, of runs just inserted under these keys, those whose key is on a tombstone; their public ids.

    Asked after the insert: a prune that was under way had to commit before the insert could find its key free, so its
    tombstone is in sight of this statement.
    """
    return {row[0] for row in fetch(_WITHDRAW, [tenant_id, definition_key, list(keys)])} if keys else set()
