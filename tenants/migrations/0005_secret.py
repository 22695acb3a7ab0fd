"""Secrets that steps name."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate


class Migration(migrations.Migration):
    """Values are sealed under the tenant's key."""

    dependencies = [("tenants", "0004_tenant_keys")]
    operations = [
        migrations.CreateModel(
            name="Secret",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("key", models.CharField(max_length=64)),
                ("entries", models.JSONField(default=list)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                    models.UniqueConstraint(fields=("tenant", "key"), name="secret_tenant_key"),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="secret_public_id"),
                ],
            },
        ),
        *isolate("tenants_secret"),
    ]
