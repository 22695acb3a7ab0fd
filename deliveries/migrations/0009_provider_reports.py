"""What providers tell later, and whose report it is, asked before a tenant is known."""

from django.db import migrations, models

from tenants.rls import lookup


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0008_providers"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="clicked_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="complained_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="confirmed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="failed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="opened_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        lookup(
            "tenant_of_provider(wanted uuid)",
            "bigint",
            "SELECT p.tenant_id FROM deliveries_provider p JOIN tenants_tenant t ON t.id = p.tenant_id"
            " WHERE p.public_id = wanted AND t.suspended_at IS NULL",
        ),
    ]
