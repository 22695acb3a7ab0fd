"""Deliveries change as they go: vacuum at a twentieth of dead rows instead of a fifth, and count at a fiftieth."""

from django.db import migrations

EARLY = "autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02"
NAMES = "autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor"


class Migration(migrations.Migration):
    """As the tables of runs have it."""

    dependencies = [("deliveries", "0015_endpoint_health")]
    operations = [
        migrations.RunSQL(
            f"ALTER TABLE deliveries_delivery SET ({EARLY})", f"ALTER TABLE deliveries_delivery RESET ({NAMES})"
        )
    ]
