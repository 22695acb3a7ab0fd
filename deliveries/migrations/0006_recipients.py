"""Recipients, their preferences, and what a tenant calls its messages; who decided is kept on each delivery."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate


class Migration(migrations.Migration):
    """New columns have a default of the database's, so that code of before goes on writing."""

    dependencies = [
        ("deliveries", "0005_template_versions"),
        ("tenants", "0010_recipient_scopes"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="category",
            field=models.CharField(blank=True, db_default="", max_length=64),
        ),
        migrations.AddField(
            model_name="delivery",
            name="decided_by",
            field=models.CharField(
                blank=True,
                choices=[
                    ("required_category", "Required"),
                    ("recipient", "Recipient"),
                    ("tenant_default", "Tenant"),
                    ("step", "Step"),
                    ("nobody", "Nobody"),
                ],
                db_default="",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="delivery",
            name="decided_rule",
            field=models.CharField(blank=True, db_default="", max_length=200),
        ),
        migrations.CreateModel(
            name="Category",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("required", models.BooleanField(default=False)),
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
                "verbose_name_plural": "categories",
                "constraints": [models.UniqueConstraint(fields=("tenant", "key"), name="category_tenant_key")],
            },
        ),
        migrations.CreateModel(
            name="Preference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("subject", models.CharField(blank=True, max_length=200)),
                ("category", models.CharField(blank=True, max_length=64)),
                ("workflow", models.CharField(blank=True, max_length=64)),
                ("channel", models.CharField(blank=True, max_length=32)),
                ("allowed", models.BooleanField()),
                ("when", models.JSONField(blank=True, null=True)),
                (
                    "said_by",
                    models.CharField(
                        help_text="api, operator, command or unsubscribe: how it came here.", max_length=16
                    ),
                ),
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
                    models.UniqueConstraint(
                        fields=("tenant", "subject", "category", "workflow", "channel"), name="preference_rule"
                    ),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="preference_public_id"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Recipient",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("external_id", models.CharField(max_length=200)),
                ("zone", models.CharField(blank=True, db_default="", max_length=64)),
                ("locale", models.CharField(blank=True, db_default="", max_length=35)),
                ("sealed", models.BinaryField(help_text="Addresses by channel and attributes, sealed.", null=True)),
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
                    models.UniqueConstraint(fields=("tenant", "external_id"), name="recipient_external_id"),
                    models.UniqueConstraint(fields=("tenant", "public_id"), name="recipient_public_id"),
                ],
            },
        ),
        *isolate("deliveries_recipient"),
        *isolate("deliveries_category"),
        *isolate("deliveries_preference"),
    ]
