"""A signal that was pruned keeps only what tells a duplicate."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """One more column, empty for what was not pruned."""

    dependencies = [("signals_app", "0008_subject_erasure")]
    operations = [
        migrations.AddField("signal", "pruned_at", models.DateTimeField(blank=True, null=True)),
    ]
