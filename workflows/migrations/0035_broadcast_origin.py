"""The runs of a broadcast are found by index, in which no other run is; and a policy may speak of broadcasts."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

KEPT = ["completed", "stopped", "cancelled", "failed", "expired", "signals", "inbox", "answers", "broadcasts"]


class Migration(migrations.Migration):
    """Built while the service writes."""

    atomic = False
    dependencies = [("workflows", "0034_throttle")]
    operations = [
        migrations.AlterField(
            model_name="retentionpolicy",
            name="what",
            field=models.CharField(choices=[(word, word.capitalize()) for word in KEPT], max_length=16),
        ),
        AddIndexConcurrently(
            model_name="run",
            index=models.Index(
                fields=["tenant", "started_by_ref", "id"],
                condition=models.Q(started_by="trigger"),
                name="run_broadcast",
            ),
        ),
    ]
