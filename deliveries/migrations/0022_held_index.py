"""Messages that are held are found by index when the rule that holds them is changed."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Built while the service writes."""

    atomic = False
    dependencies = [("deliveries", "0021_release")]
    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["tenant", "subject", "id"],
                name="delivery_held",
                condition=Q(status="planned") & ~Q(held_by=""),
            ),
        )
    ]
