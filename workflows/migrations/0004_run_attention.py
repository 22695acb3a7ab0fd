"""What operators look at first is found by index: runs that failed lately, and those that the engine fails on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Partial indexes: almost no run is in them."""

    dependencies = [("workflows", "0003_definition_frozen")]
    operations = [
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["tenant", "finished_at"], condition=models.Q(state="failed"), name="run_failed"),
        ),
        migrations.AddIndex(
            model_name="run",
            index=models.Index(fields=["tenant"], condition=models.Q(engine_failures__gt=0), name="run_engine_fails"),
        ),
    ]
