"""Composite keys, row-level security, the append-only guard, and the sweep's one question across tenants."""

from django.conf import settings
from django.db import migrations

from tenants.rls import isolate

RUN = "workflows_run"
# `ENABLE ALWAYS`: a plain trigger is walked past by `SET session_replication_role = replica`.
ALWAYS = """
DO $$
DECLARE
    found text;
BEGIN
    SELECT tgname INTO STRICT found FROM pg_trigger
     WHERE tgrelid = 'workflows_transition'::regclass AND tgname LIKE 'pgtrigger_append_only%';
    EXECUTE format('ALTER TABLE workflows_transition ENABLE {} TRIGGER %I', found);
END
$$
"""
DUE = """
CREATE FUNCTION tenants_with_due_work() RETURNS TABLE (lane text, tenant_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $due$
SELECT 'engine', t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM signals_app_signal s WHERE s.tenant_id = t.id AND s.routed_at IS NULL
                  AND (s.route_after IS NULL OR s.route_after <= clock_timestamp()))
    OR EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id AND r.due_at <= clock_timestamp())
UNION ALL
SELECT 'work', t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM workflows_steprun s WHERE s.tenant_id = t.id AND s.due_at <= clock_timestamp())
$due$
"""


class Migration(migrations.Migration):
    """The trace may be read and added to by the app role, and nothing else."""

    dependencies = [("workflows", "0001_initial"), ("signals_app", "0002_isolation"), ("tenants", "0002_isolation")]
    operations = [
        *isolate("workflows_definition"),
        *isolate("workflows_step", references={"definition_id": "workflows_definition"}),
        *isolate(RUN, references={"definition_id": "workflows_definition", "replayed_from_id": RUN}),
        *isolate("workflows_wait", references={"run_id": RUN}),
        *isolate("workflows_steprun", references={"run_id": RUN}),
        *isolate("workflows_attempt", references={"step_run_id": "workflows_steprun"}),
        *isolate("workflows_signalverdict", references={"run_id": RUN, "signal_id": "signals_app_signal"}),
        *isolate("workflows_listener", references={"run_id": RUN}),
        *isolate("workflows_transition", references={"run_id": RUN}, append_only=True),
        migrations.RunSQL(ALWAYS.format("ALWAYS"), ALWAYS.format("")),
        migrations.RunSQL(
            [
                DUE,
                "REVOKE ALL ON FUNCTION tenants_with_due_work() FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION tenants_with_due_work() TO {settings.DATABASE_APP_ROLE}",
            ],
            "DROP FUNCTION tenants_with_due_work()",
        ),
    ]
