"""The planner expects every tenant to have a fair share of a table, from its first row on."""

import importlib

from django.db import migrations

from tenants.rls import FAIR_SHARE

TENANTS_TABLES = """
    SELECT c.oid, c.relname FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attstattarget = 0
     WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
"""
EXPECT = f"""
DO $$ DECLARE t regclass; name text; BEGIN
  FOR t, name IN {TENANTS_TABLES} LOOP
    {FAIR_SHARE}
  END LOOP;
END $$
"""
# Again after each ANALYZE: a dump that was restored brings no statistics.
ANALYZE = f"""
CREATE OR REPLACE FUNCTION analyze_grown_tables() RETURNS int LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE t regclass; name text; done int := 0; BEGIN
  FOR t IN SELECT c.oid FROM pg_class c
            WHERE c.relkind = 'r' AND c.relowner = current_user::regrole
              AND pg_relation_size(c.oid) / current_setting('block_size')::int > 2 * c.relpages + 8
            ORDER BY c.oid LIMIT 8 LOOP
    EXECUTE format('ANALYZE (SKIP_LOCKED) %s', t);
    SELECT own.relname INTO name FROM ({TENANTS_TABLES}) own WHERE own.oid = t;
    IF FOUND THEN {FAIR_SHARE} END IF;
    done := done + 1;
  END LOOP;
  RETURN done;
END $$
"""  # noqa: S608  our own text
BEFORE = importlib.import_module("workflows.migrations.0025_young_tables").ANALYZE


class Migration(migrations.Migration):
    """On servers before PostgreSQL 18 nothing can be told, and nothing changes."""

    dependencies = [("workflows", "0037_heads_late")]

    operations = [
        migrations.RunSQL(EXPECT, migrations.RunSQL.noop),
        migrations.RunSQL(ANALYZE, BEFORE.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION")),
    ]
