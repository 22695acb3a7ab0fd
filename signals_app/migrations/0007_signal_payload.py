"""Find the signals that name a payload."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    """Built beside writers."""

    atomic = False
    dependencies = [("signals_app", "0006_collection")]
    operations = [
        AddIndexConcurrently(
            "signal",
            models.Index(
                fields=["tenant", "payload_sha"],
                name="signal_payload",
                condition=models.Q(payload_sha__isnull=False),
            ),
        )
    ]
