"""How many broadcasts are at work, late or failed, for the metrics: over all tenants, without a name."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

from tenants.rls import lookup

NUMBERS = """
WITH at_work AS (
    SELECT b.status, b.total - b.cursor AS left_over, b.due_at FROM tenants_tenant t
      JOIN deliveries_broadcast b ON b.tenant_id = t.id AND b.due_at IS NOT NULL
), failed AS (
    SELECT 1 FROM tenants_tenant t JOIN deliveries_broadcast b
        ON b.tenant_id = t.id AND b.status = 'failed' AND b.finished_at > clock_timestamp() - interval '1 day'
)
SELECT 'broadcasts', status::text, count(*)::float8 FROM at_work GROUP BY status
UNION ALL SELECT 'broadcast_targets_left', '', coalesce(sum(left_over), 0)::float8 FROM at_work
    WHERE status IN ('gathering', 'running')
UNION ALL SELECT 'broadcasts_overdue', '', count(*)::float8 FROM at_work
    WHERE due_at < clock_timestamp() - interval '60 seconds'
UNION ALL SELECT 'broadcasts_failed', '', count(*)::float8 FROM failed
"""


class Migration(migrations.Migration):
    """The index is built while the service writes."""

    atomic = False
    dependencies = [("deliveries", "0013_sent_to")]
    operations = [
        AddIndexConcurrently(
            model_name="broadcast",
            index=models.Index(
                fields=["tenant", "finished_at"], condition=models.Q(("status", "failed")), name="broadcast_failed"
            ),
        ),
        lookup("broadcast_numbers()", "TABLE (number text, word text, value double precision)", NUMBERS),
    ]
