"""Deliveries change as they go: vacuum at a twentieth of dead rows instead of a fifth, and count at a fiftieth."""

from django.db import migrations

from tenants.vacuum import vacuum_early


class Migration(migrations.Migration):
    """As the tables of runs have it."""

    dependencies = [("deliveries", "0015_endpoint_health")]
    operations = vacuum_early("deliveries_delivery")
