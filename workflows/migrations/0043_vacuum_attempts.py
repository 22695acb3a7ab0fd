"""Attempts are updated once each, when they finish: vacuum them as the other tables whose rows change."""

from django.db import migrations

EARLY = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02"
NAMES = "autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor"


class Migration(migrations.Migration):
    """Waits for no query, and no query waits for it."""

    dependencies = [("workflows", "0042_temporary_last")]

    operations = [
        migrations.RunSQL(
            f"ALTER TABLE workflows_attempt SET ({EARLY})", f"ALTER TABLE workflows_attempt RESET ({NAMES})"
        )
    ]
