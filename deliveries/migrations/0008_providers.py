"""Providers: who carries messages out."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0007_sending_rules"),
        ("tenants", "0009_retention"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="provider",
            field=models.CharField(blank=True, db_default="", max_length=64),
        ),
        migrations.AddField(
            model_name="delivery",
            name="turn_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Provider",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("key", models.CharField(max_length=64)),
                ("channel", models.CharField(max_length=32)),
                ("kind", models.CharField(max_length=32)),
                ("position", models.IntegerField(default=1)),
                ("enabled", models.BooleanField(default=True)),
                ("config", models.JSONField(default=dict)),
                ("sealed", models.BinaryField()),
                ("credential_names", models.JSONField(default=list)),
                ("rate_count", models.PositiveIntegerField(null=True)),
                ("rate_seconds", models.PositiveIntegerField(default=1)),
                ("next_at", models.DateTimeField(null=True)),
                (
                    "failures",
                    models.PositiveIntegerField(default=0, help_text="In a row, of the provider and not of a message."),
                ),
                ("unhealthy_until", models.DateTimeField(null=True)),
                ("last_error", models.CharField(blank=True, max_length=200)),
                ("last_failed_at", models.DateTimeField(null=True)),
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
                "indexes": [models.Index(fields=["tenant", "channel", "position"], name="provider_of_channel")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "key"), name="provider_tenant_key"),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="provider_public_id"),
                ],
            },
        ),
        *isolate("deliveries_provider"),
    ]
