"""Recipients at an address are found by index."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class Migration(migrations.Migration):
    """Built while the service writes."""

    atomic = False
    dependencies = [("deliveries", "0017_recipient_addresses")]
    operations = [
        AddIndexConcurrently(
            model_name="recipient",
            index=GinIndex(fields=["address_digests"], name="recipient_addresses", opclasses=["jsonb_path_ops"]),
        )
    ]
