"""The sweep finds tenants whose schedules are due."""

from django.db import migrations

DUE = """
CREATE OR REPLACE FUNCTION tenants_with_due_work() RETURNS TABLE (lane text, tenant_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $due$
SELECT 'engine', t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM signals_app_signal s WHERE s.tenant_id = t.id AND s.routed_at IS NULL
                  AND (s.route_after IS NULL OR s.route_after <= clock_timestamp()))
    OR EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id AND r.due_at <= clock_timestamp()){}
UNION ALL
SELECT 'work', t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM workflows_steprun s
                WHERE s.tenant_id = t.id AND s.due_at <= clock_timestamp() AND NOT s.held)
    OR EXISTS (SELECT 1 FROM workflows_steprun s
                 JOIN workflows_run r ON r.tenant_id = s.tenant_id AND r.id = s.run_id AND r.finished_at IS NOT NULL
                WHERE s.tenant_id = t.id AND s.due_at <= clock_timestamp() AND s.held AND s.status = 'running')
$due$
"""
SCHEDULES = """
    OR EXISTS (SELECT 1 FROM workflows_schedule c WHERE c.tenant_id = t.id AND c.next_at <= clock_timestamp())"""


class Migration(migrations.Migration):
    """One more question of the engine's lane; by an index that holds only schedules that are on."""

    dependencies = [("workflows", "0015_schedule")]
    operations = [migrations.RunSQL(DUE.format(SCHEDULES), DUE.format(""))]
