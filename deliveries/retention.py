"""How long inbox items and broadcasts are kept."""

from workflows.models.retention import Kept
from workflows.retention.plain_rows import RowPruner
from workflows.retention.registry import register_pruner

_HELD = """
EXISTS (SELECT 1 FROM workflows_legalhold h WHERE h.tenant_id = x.tenant_id AND h.released_at IS NULL AND (
    (h."on", h.value) IN (('subject', x.subject), ('run', x.run_public_id::text)) OR EXISTS (
        SELECT 1 FROM deliveries_delivery d WHERE d.tenant_id = x.tenant_id AND d.id = x.delivery_id
           AND h."on" = 'definition' AND h.value = d.definition_key)))
"""

# Whoever waits for its end still needs it; its targets go with it.
_UNFINISHED_OR_HELD = """
(x.finished_at IS NULL OR EXISTS (
    SELECT 1 FROM workflows_legalhold h WHERE h.tenant_id = x.tenant_id AND h.released_at IS NULL AND (
        (h."on" = 'definition' AND h.value = x.definition_key) OR (h."on" = 'subject' AND EXISTS (
            SELECT 1 FROM deliveries_broadcastchunk c WHERE c.tenant_id = x.tenant_id AND c.broadcast_id = x.id
               AND c.subjects @> ARRAY[h.value]::varchar[])))))
"""


def register_all() -> None:
    """Let policies speak of the inbox and of broadcasts."""
    register_pruner(Kept.BROADCASTS, RowPruner("broadcast", "deliveries_broadcast", _UNFINISHED_OR_HELD))
    register_pruner(Kept.INBOX, RowPruner("inbox_item", "deliveries_inboxitem", _HELD))
