"""Tombstones, and the one way in which lines of a trace are ever deleted."""

import django.db.models.deletion
import pgtrigger.compiler
import pgtrigger.migrations
from django.conf import settings
from django.db import migrations, models

from tenants.rls import isolate

# `ENABLE ALWAYS`: a plain trigger is walked past by `SET session_replication_role = replica`.
ALWAYS = """
DO $$
DECLARE
    found text;
BEGIN
    SELECT tgname INTO STRICT found FROM pg_trigger
     WHERE tgrelid = '{table}'::regclass AND tgname LIKE 'pgtrigger_{trigger}%';
    EXECUTE format('ALTER TABLE {table} ENABLE ALWAYS TRIGGER %I', found);
END
$$
"""
# The app role may not delete lines nor write tombstones; the owner's function does both for it, and nothing else. What
# it is asked to bury and may not, it leaves alone: runs that have not ended, that somebody holds, or whose trace is not
# whole (that is evidence). One tenant's burials and the placing of its holds come one after the other.
# Runs and lines are looked up one by one (LATERAL, OFFSET 0): asked for as a set, the planner walks all of a tenant's
# lines whenever its statistics are behind, and right after a great prune they are.
BURY = """
CREATE FUNCTION bury_runs(wanted_tenant bigint, wanted bigint[], who text, why text, archived text)
RETURNS TABLE (id bigint, length int) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $bury$
#variable_conflict use_column
DECLARE
    ids bigint[];
    lengths int[];
BEGIN
    IF wanted_tenant IS DISTINCT FROM nullif(current_setting('chimeway.tenant_id', true), '')::bigint THEN
        RAISE EXCEPTION 'bury_runs: tenant % is not that of the scope', wanted_tenant;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('retention', wanted_tenant));
    PERFORM 1 FROM workflows_run r WHERE r.tenant_id = wanted_tenant AND r.id = ANY (wanted) ORDER BY r.id FOR UPDATE;
    WITH buried AS (
        INSERT INTO workflows_tombstone (tenant_id, run_id, run_public_id, definition_key, version, state, length,
            last_hash, created_at, finished_at, replayed_from, idempotency_key, request_digest, pruned_by, reason,
            archive, pruned_at, transaction_id)
        SELECT r.tenant_id, r.id, r.public_id, r.definition_key, d.version, r.state, r.seq, r.chain_head, r.created_at,
               r.finished_at, (first.context ->> 'replayed_from')::uuid, r.idempotency_key, r.request_digest, who, why,
               archived, clock_timestamp(), pg_current_xact_id()::text::bigint
          FROM (SELECT DISTINCT unnest(wanted) AS id) w
         CROSS JOIN LATERAL (
            SELECT * FROM workflows_run r WHERE r.tenant_id = wanted_tenant AND r.id = w.id OFFSET 0) r
          JOIN workflows_definition d ON d.tenant_id = r.tenant_id AND d.id = r.definition_id
         CROSS JOIN LATERAL (
            SELECT t.context FROM workflows_transition t
             WHERE t.tenant_id = r.tenant_id AND t.run_id = r.id AND t.seq = 1) first
         WHERE r.finished_at IS NOT NULL AND r.state IN ('completed', 'stopped', 'cancelled', 'failed', 'expired')
           AND NOT EXISTS (SELECT 1 FROM workflows_legalhold h
                WHERE h.tenant_id = r.tenant_id AND h.released_at IS NULL
                  AND (h."on", h.value) IN (('run', r.public_id::text), ('subject', r.subject),
                                            ('definition', r.definition_key)))
           AND r.seq = (SELECT count(*) FROM workflows_transition t WHERE t.tenant_id = r.tenant_id AND t.run_id = r.id)
           AND r.chain_head = (SELECT t.hash FROM workflows_transition t
                WHERE t.tenant_id = r.tenant_id AND t.run_id = r.id AND t.seq = r.seq)
        RETURNING workflows_tombstone.run_id, workflows_tombstone.length)
    SELECT array_agg(b.run_id ORDER BY b.run_id), array_agg(b.length ORDER BY b.run_id) INTO ids, lengths FROM buried b;
    DELETE FROM workflows_transition WHERE ctid = ANY (ARRAY(
        SELECT t.line FROM unnest(ids) AS u (run) CROSS JOIN LATERAL (
            SELECT t.ctid AS line FROM workflows_transition t
             WHERE t.tenant_id = wanted_tenant AND t.run_id = u.run OFFSET 0) t));
    RETURN QUERY SELECT * FROM unnest(ids, lengths);
END
$bury$
"""
SIGNATURE = "bury_runs(bigint, bigint[], text, text, text)"


class Migration(migrations.Migration):
    """The app role reads tombstones, and has them written."""

    dependencies = [("workflows", "0021_retention")]
    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("run_id", models.BigIntegerField()),
                ("run_public_id", models.UUIDField()),
                ("definition_key", models.CharField(max_length=64)),
                ("version", models.PositiveIntegerField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("pending", "Pending"),
                            ("active", "Active"),
                            ("waiting", "Waiting"),
                            ("paused", "Paused"),
                            ("completed", "Completed"),
                            ("stopped", "Stopped"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                    ),
                ),
                ("length", models.PositiveIntegerField()),
                ("last_hash", models.BinaryField(max_length=32)),
                ("created_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField()),
                (
                    "replayed_from",
                    models.UUIDField(help_text="The public id of the run that it was a replay of.", null=True),
                ),
                ("idempotency_key", models.CharField(max_length=255, null=True)),
                ("request_digest", models.BinaryField(max_length=32, null=True)),
                ("pruned_by", models.CharField(max_length=150)),
                ("reason", models.CharField(max_length=200)),
                ("archive", models.CharField(blank=True, default="", max_length=200)),
                ("pruned_at", models.DateTimeField()),
                ("transaction_id", models.BigIntegerField()),
            ],
        ),
        migrations.AddField(
            model_name="tombstone",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddIndex(
            model_name="tombstone",
            index=models.Index(fields=["tenant", "run_public_id"], name="tombstone_public_id"),
        ),
        migrations.AddIndex(
            model_name="tombstone",
            index=models.Index(
                condition=models.Q(("replayed_from__isnull", False)),
                fields=["tenant", "replayed_from"],
                name="tombstone_replays",
            ),
        ),
        migrations.AddIndex(
            model_name="tombstone",
            index=models.Index(
                condition=models.Q(("idempotency_key__isnull", False)),
                fields=["tenant", "definition_key", "idempotency_key"],
                name="tombstone_key",
            ),
        ),
        migrations.AddConstraint(
            model_name="tombstone",
            constraint=models.UniqueConstraint(fields=("tenant", "run_id"), name="tombstone_run"),
        ),
        *isolate("workflows_tombstone", append_only=True),
        migrations.RunSQL(
            f"REVOKE INSERT ON workflows_tombstone FROM {settings.DATABASE_APP_ROLE}", migrations.RunSQL.noop
        ),
        pgtrigger.migrations.RemoveTrigger(
            model_name="transition",
            name="append_only",
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transition",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'Cannot % rows of %: a trace is only added to', lower(TG_OP), TG_TABLE_NAME;",
                    hash="764f337c5938243b9ed384aa1ae1c3e851de29a3",
                    operation="UPDATE",
                    pgid="pgtrigger_append_only_5abae",
                    table="workflows_transition",
                    when="BEFORE",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="transition",
            trigger=pgtrigger.compiler.Trigger(
                name="only_buried",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    declare="DECLARE stack text;",
                    func="\nGET DIAGNOSTICS stack = PG_CONTEXT;\nIF EXISTS (SELECT 1 FROM gone) AND stack NOT LIKE '% bury_runs(bigint,bigint[],text,text,text) %' OR EXISTS (\n    SELECT 1 FROM (SELECT DISTINCT tenant_id, run_id FROM gone) g WHERE NOT EXISTS (\n        SELECT 1 FROM workflows_tombstone t\n         WHERE t.tenant_id = g.tenant_id AND t.run_id = g.run_id\n           AND t.transaction_id = pg_current_xact_id()::text::bigint)) THEN\n    RAISE EXCEPTION 'Cannot % rows of %: a trace is only added to', lower(TG_OP), TG_TABLE_NAME;\nEND IF;\nRETURN NULL;\n",
                    hash="be904ff967503bd00406283154564a8c22178aea",
                    level="STATEMENT",
                    operation="DELETE",
                    pgid="pgtrigger_only_buried_c8b98",
                    referencing="REFERENCING OLD TABLE AS gone ",
                    table="workflows_transition",
                    when="AFTER",
                ),
            ),
        ),
        pgtrigger.migrations.AddTrigger(
            model_name="tombstone",
            trigger=pgtrigger.compiler.Trigger(
                name="append_only",
                sql=pgtrigger.compiler.UpsertTriggerSql(
                    func="RAISE EXCEPTION 'pgtrigger: Cannot update or delete rows from % table', TG_TABLE_NAME;",
                    hash="fb5ef8ae452016bb0c3bd89c927d92b10768269e",
                    operation="UPDATE OR DELETE",
                    pgid="pgtrigger_append_only_adab9",
                    table="workflows_tombstone",
                    when="BEFORE",
                ),
            ),
        ),
        *(
            migrations.RunSQL(ALWAYS.format(table=f"workflows_{table}", trigger=trigger), migrations.RunSQL.noop)
            for table, trigger in (
                ("transition", "append_only"),
                ("transition", "only_buried"),
                ("tombstone", "append_only"),
            )
        ),
        migrations.RunSQL(
            [
                BURY,
                f"REVOKE ALL ON FUNCTION {SIGNATURE} FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION {SIGNATURE} TO {settings.DATABASE_APP_ROLE}",
            ],
            f"DROP FUNCTION {SIGNATURE}",
        ),
    ]
