"""Digests: what runs collect together, and what each brought."""

import django.db.models.deletion
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate, lookup

DUE = "SELECT DISTINCT tenant_id FROM workflows_digest WHERE due_at <= clock_timestamp()"


class Migration(migrations.Migration):
    """One open digest per name; an index holds those that want attention."""

    dependencies = [
        ("tenants", "0010_recipient_scopes"),
        ("workflows", "0031_maybe_done"),
    ]

    operations = [
        migrations.AlterField(
            model_name="answer",
            name="name",
            field=models.CharField(max_length=80),
        ),
        migrations.CreateModel(
            name="Digest",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("definition_key", models.CharField(max_length=64)),
                ("step", models.CharField(max_length=64)),
                ("subject", models.CharField(blank=True, default="", max_length=200)),
                ("name_sha", models.BinaryField(default=b"", max_length=32)),
                (
                    "status",
                    models.CharField(choices=[("open", "Open"), ("full", "Full"), ("closed", "Closed")], max_length=8),
                ),
                ("positions", models.PositiveIntegerField(default=0)),
                ("count", models.PositiveIntegerField(default=0)),
                ("created_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "closed_by",
                    models.CharField(
                        blank=True,
                        choices=[("time", "Time"), ("full", "Full"), ("flush", "Flush")],
                        default="",
                        max_length=8,
                    ),
                ),
                (
                    "leader_run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="digests",
                        to="workflows.run",
                    ),
                ),
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
            name="DigestItem",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.PositiveIntegerField()),
                ("visit", models.PositiveIntegerField()),
                ("subject", models.CharField(max_length=200)),
                ("payload_sha", models.BinaryField(max_length=32, null=True)),
                ("joined_at", models.DateTimeField()),
                ("left_at", models.DateTimeField(null=True)),
                (
                    "left_why",
                    models.CharField(
                        blank=True,
                        choices=[("sent_first", "Sent First"), ("run_ended", "Run Ended"), ("removed", "Removed")],
                        default="",
                        max_length=16,
                    ),
                ),
                ("told_at", models.DateTimeField(null=True)),
                (
                    "digest",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="items",
                        to="workflows.digest",
                    ),
                ),
                (
                    "run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="digest_items",
                        to="workflows.run",
                    ),
                ),
                (
                    "step_run",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="workflows.steprun",
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
        migrations.AddIndex(
            model_name="digest",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)), fields=["tenant", "due_at"], name="digest_due"
            ),
        ),
        migrations.AddIndex(
            model_name="digest",
            index=models.Index(fields=["tenant", "leader_run"], name="digest_of_leader"),
        ),
        migrations.AddIndex(
            model_name="digest",
            index=models.Index(fields=["tenant", "name_sha"], name="digest_name"),
        ),
        migrations.AddIndex(
            model_name="digest",
            index=models.Index(fields=["tenant", "subject"], name="digest_of_subject"),
        ),
        migrations.AddConstraint(
            model_name="digest",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="digest_public_id"),
        ),
        migrations.AddConstraint(
            model_name="digest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "open")),
                fields=("tenant", "definition_key", "step", "subject", "name_sha"),
                name="digest_one_open",
            ),
        ),
        migrations.AddIndex(
            model_name="digestitem",
            index=models.Index(fields=["tenant", "run"], name="digest_item_of_run"),
        ),
        migrations.AddIndex(
            model_name="digestitem",
            index=models.Index(fields=["tenant", "subject"], name="digest_item_of_subject"),
        ),
        migrations.AddIndex(
            model_name="digestitem",
            index=models.Index(fields=["tenant", "payload_sha"], name="digest_item_payload"),
        ),
        migrations.AddConstraint(
            model_name="digestitem",
            constraint=models.UniqueConstraint(fields=("tenant", "digest", "position"), name="digest_item_position"),
        ),
        migrations.AddConstraint(
            model_name="digestitem",
            constraint=models.UniqueConstraint(fields=("tenant", "step_run"), name="digest_item_once"),
        ),
        *isolate("workflows_digest", references={"leader_run_id": "workflows_run"}),
        *isolate(
            "workflows_digestitem",
            references={
                "digest_id": "workflows_digest",
                "run_id": "workflows_run",
                "step_run_id": "workflows_steprun",
            },
        ),
        lookup("tenants_with_due_digests()", "TABLE (tenant_id bigint)", DUE),
    ]
