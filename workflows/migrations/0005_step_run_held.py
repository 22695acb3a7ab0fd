"""Work of a run that is paused or has ended is held: it stays as it is, and no worker may claim it."""

from django.db import migrations, models

# A run that ended with work in flight: nobody may take that work over.
HOLD = """
UPDATE workflows_steprun s SET held = true FROM workflows_run r
 WHERE r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.finished_at IS NOT NULL
   AND s.status = 'running' AND s.resend = 0
"""
ENGINE = """
CREATE OR REPLACE FUNCTION tenants_with_due_work() RETURNS TABLE (lane text, tenant_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $due$
SELECT 'engine', t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM signals_app_signal s WHERE s.tenant_id = t.id AND s.routed_at IS NULL
                  AND (s.route_after IS NULL OR s.route_after <= clock_timestamp()))
    OR EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id AND r.due_at <= clock_timestamp())
UNION ALL
SELECT 'work', t.id FROM tenants_tenant t
"""
BEFORE = """ WHERE EXISTS (SELECT 1 FROM workflows_steprun s WHERE s.tenant_id = t.id AND s.due_at <= clock_timestamp())
$due$
"""
# Held work is due only when its run has ended and its worker fell silent: somebody must note that its end is unknown.
AFTER = """ WHERE EXISTS (SELECT 1 FROM workflows_steprun s
                WHERE s.tenant_id = t.id AND s.due_at <= clock_timestamp() AND NOT s.held)
    OR EXISTS (SELECT 1 FROM workflows_steprun s
                 JOIN workflows_run r ON r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.finished_at IS NOT NULL
                WHERE s.tenant_id = t.id AND s.due_at <= clock_timestamp() AND s.held AND s.status = 'running')
$due$
"""


class Migration(migrations.Migration):
    """The index that claims read holds only what may be claimed."""

    dependencies = [("workflows", "0004_run_attention")]
    operations = [
        migrations.AddField("steprun", "held", models.BooleanField(db_default=False)),
        migrations.RunSQL(HOLD, migrations.RunSQL.noop),
        migrations.RemoveIndex("steprun", "step_run_due"),
        migrations.AddIndex(
            "steprun",
            models.Index(
                fields=["tenant", "due_at"], condition=models.Q(due_at__isnull=False, held=False), name="step_run_due"
            ),
        ),
        migrations.AddIndex(
            "steprun",
            models.Index(
                fields=["tenant", "due_at"], condition=models.Q(status="running", held=True), name="step_run_held"
            ),
        ),
        migrations.RunSQL(ENGINE + AFTER, ENGINE + BEFORE),
    ]
