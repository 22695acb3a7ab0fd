"""How many tenants wait for a signed head for too long; and the tables of digests and throttles are vacuumed early."""

from django.conf import settings
from django.db import migrations

from tenants.rls import lookup
from tenants.vacuum import vacuum_early

LATE = """
SELECT count(*)::float8 FROM tenants_tenant t
  LEFT JOIN LATERAL (SELECT signed_at FROM workflows_tracehead
                      WHERE tenant_id = t.id ORDER BY number DESC LIMIT 1) h ON true
 CROSS JOIN LATERAL (SELECT coalesce(h.signed_at, '2020-01-01') AS since, clock_timestamp() - after AS until) w
 WHERE coalesce(h.signed_at < w.until, expected) AND (
       EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id
                  AND r.public_id >= first_id_at(w.since) AND r.public_id < first_id_at(w.until))
    OR EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id
                  AND r.state IN ('completed', 'stopped', 'cancelled', 'failed', 'expired')
                  AND r.finished_at > w.since AND r.finished_at < w.until))
"""
FIRST_ID = """
CREATE FUNCTION first_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog AS $id$
SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '70008000000000000000')::uuid
$id$
"""
TABLES = ("workflows_digest", "workflows_digestitem", "workflows_throttlepass", "workflows_eventdispatch")


class Migration(migrations.Migration):
    """The first public id of a moment makes a range of time a range of the index of public ids."""

    dependencies = [("workflows", "0036_due_by_index")]
    operations = [
        migrations.RunSQL(
            [
                FIRST_ID,
                "REVOKE ALL ON FUNCTION first_id_at(timestamptz) FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION first_id_at(timestamptz)"
                f" TO {settings.DATABASE_APP_ROLE}, {settings.DATABASE_OPERATOR_ROLE}",
            ],
            "DROP FUNCTION first_id_at(timestamptz)",
        ),
        lookup("heads_late(expected boolean, after interval)", "TABLE (tenants double precision)", LATE),
        *vacuum_early(*TABLES),
    ]
