"""Signed heads of traces: written once, and the question whose next is due."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate, lookup

# `ENABLE ALWAYS`: a plain trigger is walked past by `SET session_replication_role = replica`.
ALWAYS = """
DO $$
DECLARE
    found text;
BEGIN
    SELECT tgname INTO STRICT found FROM pg_trigger
     WHERE tgrelid = 'workflows_tracehead'::regclass AND tgname LIKE 'pgtrigger_append_only%';
    EXECUTE format('ALTER TABLE workflows_tracehead ENABLE ALWAYS TRIGGER %I', found);
END
$$
"""
NO_TRUNCATE = [
    "CREATE TRIGGER no_truncate BEFORE TRUNCATE ON workflows_tracehead "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_truncate()",
    "ALTER TABLE workflows_tracehead ENABLE ALWAYS TRIGGER no_truncate",
]
OWING = """
SELECT t.id FROM tenants_tenant t
  LEFT JOIN LATERAL (
    SELECT lines_to, stones_to, has_more, signed_at FROM workflows_tracehead
     WHERE tenant_id = t.id ORDER BY number DESC LIMIT 1) h ON true
 WHERE (h.signed_at IS NULL OR h.has_more OR h.signed_at < clock_timestamp() - every)
   AND (EXISTS (SELECT 1 FROM workflows_transition l WHERE l.tenant_id = t.id AND l.id > coalesce(h.lines_to, 0))
     OR EXISTS (SELECT 1 FROM workflows_tombstone s WHERE s.tenant_id = t.id AND s.id > coalesce(h.stones_to, 0)))
 ORDER BY h.signed_at NULLS FIRST
"""


class Migration(migrations.Migration):
    """The app role reads heads and adds them; nobody changes one."""

    dependencies = [
        ("tenants", "0011_limit"),
        ("workflows", "0032_digest"),
    ]

    operations = [
        migrations.CreateModel(
            name="TraceHead",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("number", models.PositiveIntegerField()),
                ("previous", models.BinaryField(max_length=32)),
                ("digest", models.BinaryField(max_length=32)),
                ("signature", models.BinaryField(max_length=64)),
                ("key", models.CharField(help_text="Which key signed it.", max_length=16)),
                ("runs", models.PositiveIntegerField(help_text="How many runs it tells of.")),
                ("pruned", models.PositiveIntegerField(help_text="How many tombstones it tells of.")),
                ("leaves", models.BinaryField()),
                ("lines_to", models.BigIntegerField()),
                ("stones_to", models.BigIntegerField()),
                ("has_more", models.BooleanField(default=False)),
                ("signed_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "number"), name="trace_head_number"),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="trace_head_public_id"),
                ],
            },
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tracehead",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="56d0cc74c5f3612cbd89915fab34f84a4d09b592",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_4819e",
                    table="workflows_tracehead",
                    when="BEFORE",
                ),
            ),
        ),
        *isolate("workflows_tracehead", append_only=True),
        migrations.RunSQL(ALWAYS, migrations.RunSQL.noop),
        migrations.RunSQL(NO_TRUNCATE, "DROP TRIGGER no_truncate ON workflows_tracehead"),
        lookup("tenants_owing_heads(every interval)", "TABLE (tenant_id bigint)", OWING),
    ]
