"""What people say when they ask for something: addresses of payloads that stand in a trace."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate


class Migration(migrations.Migration):
    """The index answers whether anything still names a payload. What was said before stays where it is."""

    dependencies = [("workflows", "0027_event")]
    operations = [
        migrations.CreateModel(
            name="RunReason",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("told", models.BinaryField(max_length=32)),
                ("payload_sha", models.BinaryField(max_length=32, null=True)),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
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
                "indexes": [models.Index(fields=["tenant", "payload_sha"], name="run_reason_payload")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "run", "told"), name="run_reason_told")],
            },
        ),
        *isolate("workflows_runreason", references={"run_id": "workflows_run"}),
    ]
