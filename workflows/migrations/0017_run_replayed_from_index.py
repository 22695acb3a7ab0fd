"""The replays of a run are found by index. Almost no run is in it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Runs without an origin are left out."""

    dependencies = [("workflows", "0016_due_schedules")]
    operations = [
        migrations.AddIndex(
            "run",
            models.Index(
                fields=["tenant", "replayed_from"],
                condition=models.Q(replayed_from__isnull=False),
                name="run_replayed_from",
            ),
        )
    ]
