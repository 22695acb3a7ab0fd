"""What steps brought back: addresses of payloads that are part of a run's data."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate


class Migration(migrations.Migration):
    """The index answers whether anything still names a payload."""

    dependencies = [("workflows", "0012_run_origins")]
    operations = [
        migrations.CreateModel(
            name="Answer",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=64)),
                ("step", models.CharField(max_length=64)),
                ("visit", models.PositiveIntegerField()),
                ("payload_sha", models.BinaryField(max_length=32, null=True)),
                ("answered_at", models.DateTimeField()),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="answers",
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
                "indexes": [models.Index(fields=["tenant", "payload_sha"], name="answer_payload")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "run", "name"), name="answer_run_name")],
            },
        ),
        *isolate("workflows_answer", references={"run_id": "workflows_run"}),
    ]
