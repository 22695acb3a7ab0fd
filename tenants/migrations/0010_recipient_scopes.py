"""API keys may be given what reads and writes recipients."""

import django.contrib.postgres.fields
from django.db import migrations, models

_WORDS = ("definitions", "runs", "signals", "sources", "inbox", "deliveries", "recipients", "subjects", "retention")
_SCOPES = [(f"{word}:{may}", f"{word.title()} {may.title()}") for word in _WORDS for may in ("read", "write")]


class Migration(migrations.Migration):
    """Nothing of the schema changes; keys of before keep what they have."""

    dependencies = [("tenants", "0009_retention")]
    operations = [
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=_SCOPES, max_length=32), size=None
            ),
        ),
    ]
