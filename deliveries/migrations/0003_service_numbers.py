"""The numbers of `/metrics`: counted across tenants by one function that names none of them."""

from django.db import migrations

from tenants.rls import lookup

# Written in the order of time and asked for by time: a block range index finds the last minutes and costs next to nothing.
BY_TIME = """
CREATE INDEX {name} ON {table} USING brin ({column}) WITH (pages_per_range = 32, autosummarize = on)
"""
# Tenant by tenant: every index starts with the tenant, and most of these find nothing.
NUMBERS = """
WITH late AS (SELECT clock_timestamp() - interval '5 seconds' AS at),
     recent AS (SELECT clock_timestamp() - interval '5 minutes' AS at)
SELECT 'runs', r.state::text, count(*)::float8 FROM workflows_run r
 WHERE r.state IN ('pending', 'active', 'waiting', 'paused') GROUP BY r.state
UNION ALL
SELECT CASE WHEN r.state = 'waiting' THEN 'overdue_timers' ELSE 'overdue_runs' END, '', count(*)
  FROM tenants_tenant t JOIN workflows_run r ON r.tenant_id = t.id AND r.due_at < (SELECT at FROM late) GROUP BY 1
UNION ALL
SELECT 'engine_failures', '', count(*) FROM workflows_run r WHERE r.engine_failures > 0 AND r.due_at IS NOT NULL
UNION ALL
SELECT 'unrouted_signals', '', count(*) FROM signals_app_signal s WHERE s.routed_at IS NULL
UNION ALL
SELECT 'oldest_unrouted_signal', '', coalesce(extract(epoch FROM clock_timestamp() - min(s.received_at)), 0)
  FROM signals_app_signal s WHERE s.routed_at IS NULL
UNION ALL
SELECT 'owed_deliveries', '', count(*) FROM deliveries_delivery d WHERE d.status IN ('planned', 'sending')
UNION ALL
SELECT 'oldest_owed_delivery', '', coalesce(extract(epoch FROM clock_timestamp() - min(d.planned_at)), 0)
  FROM deliveries_delivery d WHERE d.status IN ('planned', 'sending')
UNION ALL
SELECT 'expired_leases', '', count(*) FROM tenants_tenant t
  JOIN workflows_steprun s ON s.tenant_id = t.id AND s.due_at < clock_timestamp() AND s.status = 'running'
UNION ALL
SELECT 'recent_signals', coalesce(s.verdict, 'unrouted'), count(*) FROM signals_app_signal s
 WHERE s.received_at > (SELECT at FROM recent) GROUP BY 2
UNION ALL
SELECT 'recent_attempts', CASE WHEN a.status = 'finished' THEN a.outcome ELSE a.status END, count(*)
  FROM workflows_attempt a WHERE a.started_at > (SELECT at FROM recent) GROUP BY 2
"""


def _by_time(name: str, table: str, column: str) -> migrations.RunSQL:
    return migrations.RunSQL(BY_TIME.format(name=name, table=table, column=column), f"DROP INDEX {name}")


class Migration(migrations.Migration):
    """After every table that is counted."""

    dependencies = [
        ("deliveries", "0002_isolation"),
        ("workflows", "0004_run_attention"),
        ("signals_app", "0002_isolation"),
        ("tenants", "0002_isolation"),
    ]
    operations = [
        _by_time("signal_by_time", "signals_app_signal", "received_at"),
        _by_time("attempt_by_time", "workflows_attempt", "started_at"),
        lookup("service_numbers()", "TABLE (number text, word text, value double precision)", NUMBERS),
    ]
