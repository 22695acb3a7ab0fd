"""Attempts are updated once each, when they finish: vacuum them as the other tables whose rows change."""

from django.db import migrations

from tenants.vacuum import vacuum_early


class Migration(migrations.Migration):
    """One that sends much has as many of them as of deliveries."""

    dependencies = [("workflows", "0042_temporary_last")]
    operations = vacuum_early("workflows_attempt")
