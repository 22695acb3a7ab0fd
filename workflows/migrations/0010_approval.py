"""A wait may be an approval: who may decide, where each decision leads, when to remind, and who decided."""

from django.db import migrations, models

import workflows.states


class Migration(migrations.Migration):
    """Plain waits have no routes."""

    dependencies = [("workflows", "0009_reason_note_added")]
    operations = [
        migrations.AddField("wait", "routes", models.JSONField(default=dict, db_default={})),
        migrations.AddField("wait", "actors", models.JSONField(default=list, db_default=[])),
        migrations.AddField("wait", "remind_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "wait", "decided_by", models.CharField(blank=True, db_default="", default="", max_length=200)
        ),
        migrations.AddField("wait", "decision_sha", models.BinaryField(max_length=32, null=True)),
        migrations.AlterField(
            "wait",
            "outcome",
            models.CharField(
                blank=True,
                choices=[
                    ("signal", "Signal"),
                    ("timeout", "Timeout"),
                    ("outcome", "Outcome"),
                    ("woken", "Woken"),
                    ("approved", "Approved"),
                    ("rejected", "Rejected"),
                    ("cancelled", "Cancelled"),
                    ("expired", "Expired"),
                ],
                default="",
                max_length=16,
            ),
        ),
        migrations.AlterField(
            "run", "status_reason", models.CharField(choices=workflows.states.reasons, max_length=32)
        ),
        migrations.AlterField(
            "transition", "reason", models.CharField(choices=workflows.states.reasons, max_length=32)
        ),
    ]
