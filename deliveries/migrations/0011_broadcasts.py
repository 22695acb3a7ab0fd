"""Broadcasts, their targets in chunks, and segments. The sweep finds tenants whose broadcasts are due."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate, lookup

DUE = "SELECT DISTINCT b.tenant_id FROM deliveries_broadcast b WHERE b.due_at <= clock_timestamp()"
# Pruning a broadcast takes its targets along.
CASCADE = """
ALTER TABLE deliveries_broadcastchunk ADD CONSTRAINT deliveries_broadcastchunk_broadcast_id_tenant_fk
FOREIGN KEY (tenant_id, broadcast_id) REFERENCES deliveries_broadcast (tenant_id, id) ON DELETE CASCADE
DEFERRABLE INITIALLY IMMEDIATE
"""
UNDO = "ALTER TABLE deliveries_broadcastchunk DROP CONSTRAINT deliveries_broadcastchunk_broadcast_id_tenant_fk"


class Migration(migrations.Migration):
    dependencies = [
        ("deliveries", "0010_stands_in"),
        ("tenants", "0010_recipient_scopes"),
        ("workflows", "0035_broadcast_origin"),
    ]

    operations = [
        migrations.CreateModel(
            name="Broadcast",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("definition_key", models.CharField(max_length=64)),
                ("version", models.PositiveIntegerField()),
                (
                    "source",
                    models.CharField(
                        choices=[("list", "List"), ("file", "File"), ("segment", "Segment")], max_length=16
                    ),
                ),
                ("segment_key", models.CharField(blank=True, max_length=64)),
                ("condition", models.JSONField(null=True)),
                ("columns", models.JSONField(default=dict)),
                ("correlation", models.JSONField(default=dict)),
                ("data_sha", models.BinaryField(max_length=32, null=True)),
                ("rate", models.PositiveIntegerField(help_text="Starts per minute.", null=True)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("gathering", "Gathering"),
                            ("running", "Running"),
                            ("cancelling", "Cancelling"),
                            ("cancelled", "Cancelled"),
                            ("completed", "Completed"),
                            ("failed", "Failed"),
                        ],
                        default="draft",
                        max_length=16,
                    ),
                ),
                ("note", models.CharField(blank=True, max_length=32)),
                ("failure", models.CharField(blank=True, max_length=64)),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("revision", models.PositiveIntegerField(default=1)),
                ("total", models.PositiveIntegerField(default=0)),
                ("cursor", models.PositiveIntegerField(default=0)),
                ("started", models.PositiveIntegerField(default=0)),
                ("skipped", models.JSONField(default=dict)),
                ("gathered_after", models.BigIntegerField(default=0)),
                ("gather_up_to", models.BigIntegerField(default=0)),
                ("cancels_runs", models.BooleanField(default=False)),
                ("cancelled_after", models.BigIntegerField(default=0)),
                ("cancelled_runs", models.PositiveIntegerField(default=0)),
                ("made_by", models.CharField(max_length=150)),
                ("ordered_by", models.CharField(blank=True, max_length=150)),
                ("cancelled_by", models.CharField(blank=True, max_length=150)),
                ("reason", models.CharField(blank=True, help_text="Why it was cancelled.", max_length=64)),
                ("due_at", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("ordered_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="BroadcastChunk",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("first", models.PositiveIntegerField()),
                (
                    "subjects",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=200), size=None),
                ),
                ("sealed", models.BinaryField(null=True)),
                ("skipped", models.JSONField(default=dict)),
                (
                    "broadcast",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="chunks",
                        to="deliveries.broadcast",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=64)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("condition", models.JSONField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="broadcast",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["tenant", "due_at"], name="broadcast_due"
            ),
        ),
        migrations.AddIndex(
            model_name="broadcast",
            index=models.Index(
                condition=models.Q(("data_sha__isnull", False)), fields=["tenant", "data_sha"], name="broadcast_data"
            ),
        ),
        migrations.AddConstraint(
            model_name="broadcast",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="broadcast_public_id"),
        ),
        migrations.AddConstraint(
            model_name="broadcast",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("due_at__isnull", False), ("status__in", ("gathering", "running", "cancelling"))),
                    models.Q(
                        models.Q(("status__in", ("gathering", "running", "cancelling")), _negated=True),
                        ("due_at__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="broadcast_at_work_is_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="broadcastchunk",
            constraint=models.UniqueConstraint(fields=("tenant", "broadcast", "first"), name="broadcast_chunk_first"),
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="segment_key"),
        ),
        *isolate("deliveries_broadcast"),
        *isolate("deliveries_broadcastchunk"),
        *isolate("deliveries_segment"),
        migrations.RunSQL(CASCADE, UNDO),
        lookup("tenants_with_due_broadcasts()", "TABLE (tenant_id bigint)", DUE),
    ]
