"""What must not happen twice is marked on its step run, and what nobody saw the end of is found by index."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A constant default: PostgreSQL rewrites no row for it. Almost no step run is in the index."""

    dependencies = [("workflows", "0005_step_run_held")]
    operations = [
        migrations.AddField("steprun", "at_most_once", models.BooleanField(db_default=False)),
        migrations.AddIndex(
            "steprun",
            models.Index(fields=["tenant", "id"], condition=models.Q(status="unknown"), name="step_run_unknown"),
        ),
    ]
