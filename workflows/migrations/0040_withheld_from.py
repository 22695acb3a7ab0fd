"""Visits that left somebody without a message are found by that somebody."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A column without a default is added without a rewrite, and what is there already is told of nobody."""

    dependencies = [("workflows", "0039_switched_off")]
    operations = [
        migrations.AddField("steprun", "withheld_from", models.CharField(max_length=200, null=True)),
    ]
