"""Throttles: who passed, and whose turn comes later. The sweep looks for due digests tenant by tenant."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate, lookup

OLD = """
SELECT t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM workflows_throttlepass p WHERE p.tenant_id = t.id AND p.expires_at <= clock_timestamp())
"""
OVERDUE = """
SELECT count(*)::float8 FROM tenants_tenant t JOIN workflows_digest d
    ON d.tenant_id = t.id AND d.due_at <= clock_timestamp() - interval '5 seconds'
"""
DUE = """
CREATE OR REPLACE FUNCTION tenants_with_due_digests() RETURNS TABLE (tenant_id bigint) LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $due${}$due$
"""
BY_TENANT = """
SELECT t.id FROM tenants_tenant t
 WHERE EXISTS (SELECT 1 FROM workflows_digest d WHERE d.tenant_id = t.id AND d.due_at <= clock_timestamp())
"""
AT_ONCE = "SELECT DISTINCT tenant_id FROM workflows_digest WHERE due_at <= clock_timestamp()"


class Migration(migrations.Migration):
    """A pass names its run in its key only: it counts for as long as its window, also when the run is pruned."""

    dependencies = [
        ("tenants", "0012_second_factor"),
        ("workflows", "0033_trace_head"),
    ]

    operations = [
        migrations.CreateModel(
            name="ThrottlePass",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("definition_key", models.CharField(max_length=64)),
                ("step", models.CharField(max_length=64)),
                ("subject", models.CharField(blank=True, default="", max_length=200)),
                ("name_sha", models.BinaryField(default=b"", max_length=32)),
                ("key", models.CharField(max_length=200)),
                ("at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("passed", models.BooleanField()),
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
                "verbose_name_plural": "throttle passes",
                "indexes": [
                    models.Index(
                        fields=["tenant", "definition_key", "step", "subject", "name_sha", "at"],
                        name="throttle_pass_of_name",
                    ),
                    models.Index(fields=["tenant", "expires_at"], name="throttle_pass_old"),
                    models.Index(fields=["tenant", "name_sha"], name="throttle_pass_name"),
                    models.Index(fields=["tenant", "subject"], name="throttle_pass_of_subject"),
                ],
                "constraints": [models.UniqueConstraint(fields=("tenant", "key"), name="throttle_pass_once")],
            },
        ),
        *isolate("workflows_throttlepass"),
        lookup("tenants_with_old_passes()", "TABLE (tenant_id bigint)", OLD),
        lookup("digests_overdue()", "TABLE (digests double precision)", OVERDUE),
        migrations.RunSQL(DUE.format(BY_TENANT), DUE.format(AT_ONCE)),
    ]
