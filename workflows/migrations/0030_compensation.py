"""Compensations stand beside the visits that they undo, each with its place in the order of undoing."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A constant default: PostgreSQL rewrites no row for it. Almost no step run is in the index."""

    dependencies = [
        ("workflows", "0029_vacuum_early"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="steprun",
            name="step_run_visit",
        ),
        migrations.AddField(
            model_name="steprun",
            name="undo",
            field=models.PositiveIntegerField(db_default=0),
        ),
        migrations.AddIndex(
            model_name="steprun",
            index=models.Index(
                condition=models.Q(("status__in", ["owed", "running", "failed", "unknown"]), ("undo__gt", 0)),
                fields=["tenant", "run"],
                name="step_run_undoing",
            ),
        ),
        migrations.AddConstraint(
            model_name="steprun",
            constraint=models.UniqueConstraint(
                fields=("tenant", "run", "step", "visit", "resend", "undo"), name="step_run_visit"
            ),
        ),
    ]
