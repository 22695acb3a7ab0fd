"""Messages to an address that were not sent are found by index, as those that were already are."""

from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models

NOT_SENT = [
    "cancelled",
    "permanent_failure",
    "retries_exhausted",
    "suppressed",
    "temporary_failure",
    "unknown",
]


class Migration(migrations.Migration):
    """Built while the service writes. What is sent as it should never enters it."""

    atomic = False
    dependencies = [("deliveries", "0012_template_retired")]
    operations = [
        AddIndexConcurrently(
            model_name="delivery",
            index=models.Index(
                fields=["tenant", "recipient_digest", "-id"],
                condition=models.Q(
                    ("status__in", NOT_SENT),
                    models.Q(("recipient_digest", ""), _negated=True),
                ),
                name="delivery_not_sent_to",
            ),
        )
    ]
