"""A visit keeps that a try of it may have taken effect, whatever its outcome: then it is undone with the others."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """A constant default: PostgreSQL rewrites no row for it."""

    dependencies = [
        ("workflows", "0030_compensation"),
    ]

    operations = [
        migrations.AddField(
            model_name="steprun",
            name="maybe_done",
            field=models.BooleanField(db_default=False),
        ),
    ]
