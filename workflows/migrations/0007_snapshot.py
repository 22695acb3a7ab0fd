"""Snapshots: folded states of long traces."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate, lookup


class Migration(migrations.Migration):
    """A cache: it may be emptied at any time."""

    dependencies = [("workflows", "0006_step_run_at_most_once")]
    operations = [
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("seq", models.PositiveIntegerField()),
                ("state", models.JSONField()),
                ("hash", models.BinaryField(max_length=32)),
                ("taken_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="snapshots",
                        to="workflows.run",
                    ),
                ),
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
                "constraints": [models.UniqueConstraint(fields=("tenant", "run", "seq"), name="snapshot_run_seq")]
            },
        ),
        *isolate("workflows_snapshot", references={"run_id": "workflows_run"}),
        lookup(
            "tenants_with_long_runs()",
            "TABLE (tenant_id bigint)",
            "SELECT t.id FROM tenants_tenant t WHERE EXISTS "
            "(SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.id AND r.seq >= 200)",
        ),
    ]
