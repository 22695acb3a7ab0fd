"""A message that was joined to another takes its place when the run of that one ends."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """No default: PostgreSQL rewrites no row for it."""

    dependencies = [
        ("deliveries", "0009_provider_reports"),
    ]

    operations = [
        migrations.AddField(
            model_name="delivery",
            name="stands_in_for",
            field=models.UUIDField(blank=True, null=True),
        ),
    ]
