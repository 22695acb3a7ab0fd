"""Cancels that wait for runs which are started later."""

import django.db.models.deletion
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate


class Migration(migrations.Migration):
    """Their time is bounded; what is over is cleared away by the next one."""

    dependencies = [("workflows", "0013_answer"), ("tenants", "0003_operator_roles")]
    operations = [
        migrations.CreateModel(
            name="StickyCancel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("workflow", models.CharField(blank=True, default="", max_length=64)),
                ("mark", models.CharField(max_length=300)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("trigger", "Trigger"),
                            ("step", "Step"),
                            ("signal", "Signal"),
                            ("timer", "Timer"),
                            ("operator", "Operator"),
                            ("api", "Api"),
                            ("sweep", "Sweep"),
                        ],
                        max_length=16,
                    ),
                ),
                ("cause_ref", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.CharField(blank=True, default="", max_length=64)),
                ("until", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
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
                    models.UniqueConstraint(fields=("tenant", "mark", "workflow"), name="sticky_cancel_mark"),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="sticky_cancel_public_id"),
                ]
            },
        ),
        *isolate("workflows_stickycancel"),
    ]
