"""How far the collection of payloads has come, and which tenants are due."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate, lookup


class Migration(migrations.Migration):
    """A tenant is due when a day has passed since its last whole round, or a round is under way."""

    dependencies = [("signals_app", "0005_sealed_secrets")]
    operations = [
        migrations.CreateModel(
            name="Collection",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("cursor", models.BigIntegerField(default=0)),
                (
                    "finished_at",
                    models.DateTimeField(help_text="When the last whole round ended.", null=True),
                ),
                (
                    "collected",
                    models.BigIntegerField(default=0, help_text="Payloads taken away since the beginning."),
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
            options={"constraints": [models.UniqueConstraint(fields=("tenant",), name="collection_tenant")]},
        ),
        *isolate("signals_app_collection"),
        lookup(
            "tenants_to_collect(before timestamptz, most integer)",
            "SETOF bigint",
            "SELECT t.id FROM tenants_tenant t LEFT JOIN signals_app_collection c ON c.tenant_id = t.id"
            " WHERE c.cursor > 0 OR c.finished_at IS NULL OR c.finished_at < before"
            " ORDER BY c.cursor DESC NULLS LAST, c.finished_at NULLS FIRST LIMIT most",
        ),
    ]
