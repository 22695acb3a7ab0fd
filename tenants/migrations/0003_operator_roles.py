"""What an operator may do in a tenant, and the record of what they did."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

from tenants.rls import isolate, lookup


class Migration(migrations.Migration):
    """The record may be read and added to by the app role, and nothing else."""

    dependencies = [("tenants", "0002_isolation"), migrations.swappable_dependency(settings.AUTH_USER_MODEL)]
    operations = [
        migrations.AlterModelOptions(name="apikey", options={"verbose_name": "API key"}),
        migrations.AddField(
            model_name="membership",
            name="role",
            field=models.CharField(
                choices=[("viewer", "Viewer"), ("operator", "Operator"), ("admin", "Admin")],
                default="operator",
                max_length=16,
            ),
        ),
        migrations.CreateModel(
            name="OperatorAction",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("username", models.CharField(max_length=150)),
                ("action", models.CharField(max_length=32)),
                ("object_kind", models.CharField(max_length=32)),
                ("object_ref", models.CharField(max_length=200)),
                ("reason", models.CharField(blank=True, default="", max_length=200)),
                ("moved", models.BooleanField()),
                ("refusal", models.CharField(blank=True, default="", max_length=200)),
                ("acted_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["tenant", "object_kind", "object_ref", "id"],
                        name="operator_action_object",
                    )
                ],
            },
        ),
        *isolate("tenants_operatoraction", append_only=True),
        lookup(
            "memberships_of_user(wanted integer)",
            "TABLE (tenant_id bigint, role varchar)",
            "SELECT m.tenant_id, m.role FROM tenants_membership m WHERE m.user_id = wanted ORDER BY m.tenant_id",
        ),
    ]
