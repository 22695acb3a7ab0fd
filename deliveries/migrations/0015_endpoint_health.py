"""Endpoints know since when they fail, and why and when they were disabled: by the rule of subscriptions to events."""

from django.db import migrations, models

from tenants.rls import lookup

NUMBERS = """
SELECT CASE WHEN NOT enabled THEN 'disabled' WHEN failing_since IS NOT NULL THEN 'failing' ELSE 'healthy' END,
       count(*)::float8 FROM deliveries_endpoint GROUP BY 1
"""
REASONS = [
    ("asked", "somebody switched it off"),
    ("gone", "the receiver answered 410"),
    ("failing", "every try failed for 120 hours"),
]


class Migration(migrations.Migration):
    """The columns may be null, so that code of before goes on writing."""

    dependencies = [("deliveries", "0014_broadcast_numbers")]
    operations = [
        migrations.AddField("endpoint", "disabled_at", models.DateTimeField(null=True)),
        migrations.AddField("endpoint", "failing_since", models.DateTimeField(null=True)),
        migrations.AlterField(
            "endpoint", "disabled_reason", models.CharField(blank=True, choices=REASONS, max_length=100)
        ),
        migrations.RunSQL(
            "UPDATE deliveries_endpoint SET disabled_at = updated_at,"
            " disabled_reason = CASE disabled_reason WHEN 'http 410' THEN 'gone' ELSE 'asked' END WHERE NOT enabled",
            "UPDATE deliveries_endpoint SET disabled_reason = CASE disabled_reason WHEN 'gone' THEN 'http 410' ELSE '' END",
        ),
        lookup("endpoint_numbers()", "TABLE (state text, endpoints double precision)", NUMBERS),
    ]
