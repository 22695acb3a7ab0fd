"""What has been over for long enough is found by index, by the state in which it ended."""

from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built while the service writes; what failed lately is found by it, too."""

    atomic = False
    dependencies = [("workflows", "0022_tombstone")]
    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["tenant", "state", "finished_at"],
                condition=models.Q(finished_at__isnull=False),
                name="run_finished",
            ),
        ),
        RemoveIndexConcurrently(model_name="run", name="run_failed"),
    ]
