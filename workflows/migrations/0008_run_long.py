"""Long runs are found by index: those that a snapshot may pay for."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built while the service writes; few runs are in it."""

    atomic = False
    dependencies = [("workflows", "0007_snapshot")]
    operations = [
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(fields=["tenant", "id"], condition=models.Q(seq__gte=200), name="run_long"),
        )
    ]
