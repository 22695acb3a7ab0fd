"""Tables whose rows change: vacuum at a twentieth of dead rows instead of a fifth, and count at a fiftieth."""

from django.db import migrations

from tenants.vacuum import vacuum_early

TABLES = ("workflows_run", "workflows_wait", "workflows_listener", "workflows_steprun", "signals_app_signal")


class Migration(migrations.Migration):
    """With a million runs, a fifth is two hundred thousand dead versions that every index still leads to."""

    dependencies = [("workflows", "0028_run_reason"), ("signals_app", "0009_pruned")]

    operations = vacuum_early(*TABLES)
