"""Rules that were changed while messages were held by them. The sweep finds tenants that have such."""

import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import isolate, lookup

DUE = "SELECT DISTINCT r.tenant_id FROM deliveries_release r"


class Migration(migrations.Migration):
    """A table that is empty but for the seconds after a change."""

    dependencies = [("deliveries", "0020_complained"), ("tenants", "0010_recipient_scopes")]

    operations = [
        migrations.CreateModel(
            name="Release",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("changed", models.CharField(max_length=32)),
                ("subject", models.CharField(blank=True, default="", max_length=200)),
                ("provider", models.CharField(blank=True, default="", max_length=64)),
                ("after_subject", models.CharField(blank=True, default="", max_length=200)),
                ("after_id", models.BigIntegerField(default=0)),
                ("asked_at", models.DateTimeField()),
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
            options={"abstract": False},
        ),
        *isolate("deliveries_release"),
        lookup("tenants_with_releases()", "TABLE (tenant_id bigint)", DUE),
    ]
