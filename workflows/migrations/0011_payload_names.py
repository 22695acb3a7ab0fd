"""Find the runs and decisions that name a payload."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built beside writers."""

    atomic = False
    dependencies = [("workflows", "0010_approval")]
    operations = [
        AddIndexConcurrently(
            "run",
            models.Index(fields=["tenant", "data_sha"], name="run_data", condition=models.Q(data_sha__isnull=False)),
        ),
        AddIndexConcurrently(
            "wait",
            models.Index(
                fields=["tenant", "decision_sha"],
                name="wait_decision",
                condition=models.Q(decision_sha__isnull=False),
            ),
        ),
    ]
