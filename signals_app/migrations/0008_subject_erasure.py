"""The record of erasures: who, when, how much; not whom."""

import django.db.models.deletion
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate


class Migration(migrations.Migration):
    """The app role may read it and add to it, and nothing else."""

    dependencies = [("signals_app", "0007_signal_payload")]
    operations = [
        migrations.CreateModel(
            name="SubjectErasure",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("digest", models.BinaryField(max_length=32)),
                ("cause", models.CharField(max_length=16)),
                ("cause_ref", models.CharField(blank=True, default="", max_length=200)),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                ("counts", models.JSONField(default=dict)),
                ("erased_at", models.DateTimeField()),
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
                "verbose_name": "erased subject",
                "indexes": [models.Index(fields=["tenant", "digest"], name="erasure_of_subject")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "public_id"), name="erasure_public_id")],
            },
        ),
        *isolate("signals_app_subjecterasure", append_only=True),
    ]
