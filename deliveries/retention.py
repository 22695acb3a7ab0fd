"""How long inbox items are kept."""

from workflows.models.retention import Kept
from workflows.retention.plain_rows import RowPruner
from workflows.retention.registry import register_pruner

_HELD = """
EXISTS (SELECT 1 FROM workflows_legalhold h WHERE h.tenant_id = x.tenant_id AND h.released_at IS NULL AND (
    (h."on", h.value) IN (('subject', x.subject), ('run', x.run_public_id::text)) OR EXISTS (
        SELECT 1 FROM deliveries_delivery d WHERE d.tenant_id = x.tenant_id AND d.id = x.delivery_id
           AND h."on" = 'definition' AND h.value = d.definition_key)))
"""


def register_all() -> None:
    """Let policies speak of the inbox."""
    register_pruner(Kept.INBOX, RowPruner("inbox_item", "deliveries_inboxitem", _HELD))
