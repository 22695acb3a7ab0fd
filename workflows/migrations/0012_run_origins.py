"""Who wrote the first lines of an imported trace."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("workflows", "0011_payload_names"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="origins",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
    ]
