"""Whoever complained is found by index, whichever message it was about."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built while the service writes."""

    atomic = False
    dependencies = [("deliveries", "0019_held_by_rate")]
    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["tenant", "recipient_digest"],
                name="delivery_complained",
                condition=models.Q(complained_at__isnull=False),
            ),
        )
    ]
