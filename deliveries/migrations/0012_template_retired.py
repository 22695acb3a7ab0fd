"""Templates can be retired."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """The column may be null, so that code of before goes on writing."""

    dependencies = [
        ("deliveries", "0011_broadcasts"),
    ]

    operations = [
        migrations.AddField(
            model_name="template",
            name="retired_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
