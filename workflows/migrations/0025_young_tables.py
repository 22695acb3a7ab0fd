"""Statistics: none of the tenant column, and early ones of tables that grow fast."""

from django.conf import settings
from django.db import migrations

# Databases that were filled before; new tables have it from `tenants.rls`. Only PostgreSQL 18 can forget what an earlier
# ANALYZE found; on older servers it stays until the table is rewritten.
FORGET = """
DO $$ DECLARE t regclass; BEGIN
  FOR t IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id'
            WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND NOT a.attisdropped LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN tenant_id SET STATISTICS 0', t);
    IF current_setting('server_version_num')::int >= 180000 THEN
      EXECUTE format('SELECT pg_clear_attribute_stats(%L, %L, ''tenant_id'', false)', current_schema(),
                     (SELECT relname FROM pg_class WHERE oid = t));
    END IF;
  END LOOP;
END $$
"""
# Autovacuum looks once a minute. A burst fills a table in seconds, and until somebody counts it, every plan takes it for
# empty. ANALYZE also throws away the plans that connections have kept. Doubling bounds how often it can happen.
ANALYZE = """
CREATE FUNCTION analyze_grown_tables() RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE t regclass; done int := 0; BEGIN
  FOR t IN SELECT c.oid FROM pg_class c
            WHERE c.relkind = 'r' AND c.relowner = current_user::regrole
              AND pg_relation_size(c.oid) / current_setting('block_size')::int > 2 * c.relpages + 8
            ORDER BY c.oid LIMIT 8 LOOP
    EXECUTE format('ANALYZE (SKIP_LOCKED) %s', t);
    done := done + 1;
  END LOOP;
  RETURN done;
END $$
"""


class Migration(migrations.Migration):
    """Also leaves room in the pages of listeners: the end of a run then changes them in place."""

    dependencies = [("workflows", "0024_tenant_checked_once")]

    operations = [
        migrations.RunSQL(FORGET, migrations.RunSQL.noop),
        migrations.RunSQL(ANALYZE, "DROP FUNCTION analyze_grown_tables()"),
        migrations.RunSQL(
            f"REVOKE ALL ON FUNCTION analyze_grown_tables() FROM PUBLIC; "
            f"GRANT EXECUTE ON FUNCTION analyze_grown_tables() TO {settings.DATABASE_APP_ROLE}",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "ALTER TABLE workflows_listener SET (fillfactor = 85)", "ALTER TABLE workflows_listener RESET (fillfactor)"
        ),
    ]
