"""Tables whose rows change: vacuum at a twentieth of dead rows instead of a fifth, and count at a fiftieth."""

from django.db import migrations

TABLES = ("workflows_run", "workflows_wait", "workflows_listener", "workflows_steprun", "signals_app_signal")
EARLY = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02"
NAMES = "autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor"


class Migration(migrations.Migration):
    """With a million runs, a fifth is two hundred thousand dead versions that every index still leads to."""

    dependencies = [("workflows", "0028_run_reason"), ("signals_app", "0009_pruned")]

    operations = [
        migrations.RunSQL(f"ALTER TABLE {table} SET ({EARLY})", f"ALTER TABLE {table} RESET ({NAMES})")
        for table in TABLES
    ]
