"""Migration operations that make a table a tenant's table: composite keys and forced row-level security.

Django keeps thinking of `id` as the primary key; the database key is `(tenant_id, id)`, so that every key and foreign
key starts with the tenant and a row cannot name another tenant's row (foreign keys and unique constraints see across
row-level security, so the tenant has to be in them).
"""

from collections.abc import Mapping

from django.conf import settings
from django.db.migrations.operations import RunSQL

ONE = "(SELECT nullif(current_setting('chimeway.tenant_id', true), '')::bigint)"
#: What people with psql need not read: secrets and keys, sealed or not, and what the tenants' people wrote and got.
KEPT_FROM_OPERATORS = frozenset(
    {
        "deliveries_broadcastchunk",
        "deliveries_endpoint",
        "deliveries_inboxitem",
        "deliveries_provider",
        "deliveries_recipient",
        "signals_app_payload",
        "signals_app_signalsource",
        "tenants_apikey",
        "tenants_idempotencyrecord",
        "tenants_secret",
        "tenants_tenantkey",
        "workflows_eventsubscription",
    }
)
# Every index starts with the tenant. With statistics, a tenant that came after the last ANALYZE is expected to have one
# row, any index looks as good as any other, and joins walk all of the tenant's rows. Without, the same holds as long as
# a table is small or unknown. So the planner is told, where it can be (PostgreSQL 18), that every tenant has a fiftieth
# of each table: the index with the most columns wins from the first row on.
NO_TENANT_STATISTICS = "ALTER TABLE {table} ALTER COLUMN tenant_id SET STATISTICS 0"
FAIR_SHARE = """
  IF current_setting('server_version_num')::int >= 180000 THEN
    PERFORM pg_restore_attribute_stats('schemaname', 'public', 'relname', name, 'attname', 'tenant_id',
      'inherited', false, 'null_frac', 0::real, 'avg_width', 8, 'n_distinct', 50::real);
  END IF;
"""
SEVERAL = "(SELECT nullif(current_setting('chimeway.tenant_ids', true), '')::bigint[])::bigint[]"


def isolate(table: str, *, references: Mapping[str, str] | None = None, append_only: bool = False) -> list[RunSQL]:
    """Operations for one table with columns `tenant_id` and `id`.

    `references` maps a column to the table whose `(tenant_id, id)` it names; NULL columns are not checked. The app role
    may read an append-only table and insert into it, and nothing else. Run after every model the table references.
    """
    keys = [
        NO_TENANT_STATISTICS.format(table=table),
        f"DO $$ DECLARE name text := '{table}'; BEGIN {FAIR_SHARE} END $$",
        f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD CONSTRAINT {table}_pkey PRIMARY KEY (tenant_id, id)",
    ]
    keys += [
        f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_tenant_fk FOREIGN KEY (tenant_id, {column}) "
        f"REFERENCES {target} (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE"
        for column, target in (references or {}).items()
    ]
    undo_keys = [
        f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {table}_{column}_tenant_fk" for column in (references or {})
    ]
    undo_keys.append(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD CONSTRAINT {table}_pkey PRIMARY KEY (id)")
    return [RunSQL([*keys], [*undo_keys]), protect(table, "tenant_id", append_only=append_only)]


def protect(table: str, column: str, *, append_only: bool = False) -> RunSQL:
    """Forced row-level security: `column` must be among the tenants of the scope. The owner sees all rows."""
    app, operator = settings.DATABASE_APP_ROLE, settings.DATABASE_OPERATOR_ROLE
    rights = "SELECT, INSERT" if append_only else "SELECT, INSERT, UPDATE, DELETE"
    return RunSQL(
        [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            # Two policies and not one list: an index condition on a list costs the planner ten descents, and between
            # indexes that all start with the tenant it then chooses by chance.
            f"CREATE POLICY tenant_scope ON {table} USING ({column} = {ONE})",
            f"CREATE POLICY operator_scope ON {table} USING ({column} = ANY ({SEVERAL}))",
            f"CREATE POLICY owner_sees_all ON {table} TO CURRENT_USER USING (true)",
            f"REVOKE ALL ON {table} FROM {app}, {operator}",
            f"GRANT {rights} ON {table} TO {app}",
            *([] if table in KEPT_FROM_OPERATORS else [f"GRANT SELECT ON {table} TO {operator}"]),
        ],
        [
            f"DROP POLICY owner_sees_all ON {table}",
            f"DROP POLICY operator_scope ON {table}",
            f"DROP POLICY tenant_scope ON {table}",
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ],
    )


def lookup(signature: str, returns: str, body: str) -> RunSQL:
    """A function of the owner that the app role may call before a tenant is known. Keep each to one narrow question."""
    name = signature.split("(", maxsplit=1)[0]
    arguments = signature.split("(", 1)[1].rstrip(")")
    types = ", ".join(part.split()[-1] for part in arguments.split(",")) if arguments.strip() else ""
    app = settings.DATABASE_APP_ROLE
    return RunSQL(
        [
            f"CREATE FUNCTION {signature} RETURNS {returns} LANGUAGE sql STABLE SECURITY DEFINER "
            f"SET search_path = pg_catalog, public, pg_temp AS $lookup${body}$lookup$",
            f"REVOKE ALL ON FUNCTION {name}({types}) FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION {name}({types}) TO {app}",
        ],
        f"DROP FUNCTION {name}({types})",
    )
