"""The history of a recipient reads what was withheld by index."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built while the service writes."""

    atomic = False
    dependencies = [("workflows", "0040_withheld_from")]
    operations = [
        AddIndexConcurrently(
            model_name="steprun",
            index=models.Index(
                fields=["tenant", "withheld_from", "-id"],
                condition=models.Q(withheld_from__isnull=False),
                name="step_run_withheld",
            ),
        )
    ]
