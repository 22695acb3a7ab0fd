"""Keys of tenants, wrapped by a master key that the database never sees; and which master keys are still needed."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from tenants.rls import isolate, lookup


class Migration(migrations.Migration):
    """Keys are made with a tenant, or when a tenant from before this migration first needs them."""

    dependencies = [("tenants", "0003_operator_roles")]
    operations = [
        migrations.CreateModel(
            name="TenantKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("purpose", models.CharField(choices=[("data", "Data"), ("digest", "Digest")], max_length=8)),
                ("number", models.PositiveIntegerField()),
                ("master", models.CharField(max_length=16)),
                ("wrapped", models.BinaryField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
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
                    models.UniqueConstraint(fields=("tenant", "purpose", "number"), name="tenant_key_number")
                ],
            },
        ),
        *isolate("tenants_tenantkey"),
        lookup(
            "master_keys_in_use()",
            "SETOF varchar",
            "SELECT DISTINCT master FROM tenants_tenantkey",
        ),
        lookup(
            "tenants_wrapped_otherwise(wanted varchar, after bigint, most integer)",
            "SETOF bigint",
            "SELECT DISTINCT tenant_id FROM tenants_tenantkey WHERE master <> wanted AND tenant_id > after"
            " ORDER BY tenant_id LIMIT most",
        ),
        lookup(
            "tenants_after(after bigint, most integer)",
            "SETOF bigint",
            "SELECT id FROM tenants_tenant WHERE id > after ORDER BY id LIMIT most",
        ),
    ]
