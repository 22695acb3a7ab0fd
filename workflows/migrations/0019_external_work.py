"""Work that is done elsewhere, mirrored under its own id."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate


def _key(to: str, related_name: str) -> models.ForeignKey:
    on_delete = django.db.models.deletion.PROTECT
    return models.ForeignKey(
        db_constraint=False, db_index=False, null=True, on_delete=on_delete, related_name=related_name, to=to
    )


class Migration(migrations.Migration):
    """One row per tenant, kind and id, whoever speaks of it first."""

    dependencies = [("workflows", "0018_transition_no_truncate")]
    operations = [
        migrations.CreateModel(
            name="ExternalWork",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=64)),
                ("external_id", models.CharField(max_length=200)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("expected", "Expected"),
                            ("running", "Running"),
                            ("succeeded", "Succeeded"),
                            ("failed", "Failed"),
                        ],
                        max_length=16,
                    ),
                ),
                ("error", models.CharField(blank=True, default="", max_length=200)),
                ("answer_sha", models.BinaryField(max_length=32, null=True)),
                ("observations", models.PositiveIntegerField(default=0)),
                ("late_observations", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("observed_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("run", _key("workflows.run", "external_work")),
                ("step_run", _key("workflows.steprun", "+")),
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
                "verbose_name_plural": "external work",
                "indexes": [
                    models.Index(fields=["tenant", "run"], name="external_work_of_run"),
                    models.Index(fields=["tenant", "answer_sha"], name="external_work_answer"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "kind", "external_id"), name="external_work_id")
                ],
            },
        ),
        *isolate("workflows_externalwork", references={"run_id": "workflows_run", "step_run_id": "workflows_steprun"}),
    ]
