"""A message that waits for its turn with a provider says so, as those that a rule holds do. No column changes."""

from django.db import migrations, models

LAYERS = [
    ("required_category", "Required"),
    ("recipient", "Recipient"),
    ("tenant_default", "Tenant"),
    ("step", "Step"),
    ("nobody", "Nobody"),
    ("provider", "Provider"),
]


class Migration(migrations.Migration):
    """Words only."""

    dependencies = [("deliveries", "0018_recipient_addresses_index")]

    operations = [
        migrations.AlterField(
            model_name="delivery",
            name="decided_by",
            field=models.CharField(blank=True, choices=LAYERS, db_default="", max_length=20),
        ),
    ]
