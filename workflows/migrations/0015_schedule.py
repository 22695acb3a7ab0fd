"""Schedules: runs that start by the calendar."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate

FIELDS = [
    ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
    ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
    ("key", models.CharField(max_length=64)),
    ("definition_key", models.CharField(max_length=64)),
    ("version", models.PositiveIntegerField(null=True)),
    ("expression", models.CharField(max_length=100)),
    ("zone", models.CharField(max_length=64)),
    ("subjects", models.JSONField()),
    ("correlation", models.JSONField(default=dict)),
    ("data_sha", models.BinaryField(max_length=32, null=True)),
    (
        "missed",
        models.CharField(
            choices=[("skip", "Skip"), ("latest", "Latest"), ("all", "All")], default="latest", max_length=8
        ),
    ),
    ("most_missed", models.PositiveSmallIntegerField(default=10)),
    ("enabled", models.BooleanField(default=True)),
    ("next_at", models.DateTimeField(null=True)),
    ("started_at", models.DateTimeField(null=True)),
    ("skipped_at", models.DateTimeField(null=True)),
    ("refused_at", models.DateTimeField(null=True)),
    ("refusal", models.CharField(blank=True, default="", max_length=64)),
    ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
    ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
    (
        "tenant",
        models.ForeignKey(
            db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
        ),
    ),
]
ON, OFF = models.Q(enabled=True, next_at__isnull=False), models.Q(enabled=False, next_at__isnull=True)


class Migration(migrations.Migration):
    """The index holds only schedules that are on."""

    dependencies = [("workflows", "0014_sticky_cancel"), ("tenants", "0003_operator_roles")]
    operations = [
        migrations.CreateModel("Schedule", FIELDS),
        migrations.AddConstraint("schedule", models.UniqueConstraint(fields=["tenant", "key"], name="schedule_key")),
        migrations.AddConstraint(
            "schedule", models.UniqueConstraint(fields=["tenant", "public_id"], name="schedule_public_id")
        ),
        migrations.AddConstraint(
            "schedule", models.CheckConstraint(condition=ON | OFF, name="schedule_off_is_never_due")
        ),
        migrations.AddIndex(
            "schedule",
            models.Index(fields=["tenant", "next_at"], condition=models.Q(next_at__isnull=False), name="schedule_due"),
        ),
        migrations.AddIndex(
            "schedule",
            models.Index(
                fields=["tenant", "data_sha"], condition=models.Q(data_sha__isnull=False), name="schedule_data"
            ),
        ),
        *isolate("workflows_schedule"),
    ]
