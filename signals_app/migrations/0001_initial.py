"""The tables of signals."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.ids


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0002_isolation"),
    ]

    operations = [
        migrations.CreateModel(
            name="Signal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("source", models.CharField(help_text="api, inbox, or the key of the webhook source.", max_length=50)),
                (
                    "external_id",
                    models.CharField(
                        help_text="The sender's own id; a second signal with it is a duplicate.", max_length=200
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("subject", models.CharField(blank=True, default="", max_length=200)),
                ("correlation", models.JSONField(blank=True, default=dict)),
                ("payload_sha", models.BinaryField(max_length=32, null=True)),
                ("body_digest", models.BinaryField(max_length=32)),
                ("occurred_at", models.DateTimeField()),
                ("received_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("routed_at", models.DateTimeField(blank=True, null=True)),
                ("route_after", models.DateTimeField(blank=True, null=True)),
                ("route_failures", models.PositiveIntegerField(default=0)),
                ("route_cursor", models.BigIntegerField(default=0)),
                (
                    "verdict",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("matched", "Matched"),
                            ("started", "Started"),
                            ("buffered", "Buffered"),
                            ("duplicate", "Duplicate"),
                            ("rejected", "Rejected"),
                            ("late", "Late"),
                            ("unmatched", "Unmatched"),
                            ("expired", "Expired"),
                        ],
                        max_length=16,
                        null=True,
                    ),
                ),
                ("verdict_reason", models.CharField(blank=True, default="", max_length=200)),
                ("verdict_context", models.JSONField(blank=True, default=dict)),
                ("duplicate_count", models.PositiveIntegerField(default=0)),
                ("last_duplicate_at", models.DateTimeField(blank=True, null=True)),
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
            name="SignalKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=260)),
                ("received_at", models.DateTimeField()),
                (
                    "signal",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="signals_app.signal",
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
            name="SignalSource",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("key", models.CharField(max_length=50)),
                ("name", models.CharField(max_length=100)),
                (
                    "scheme",
                    models.CharField(
                        choices=[
                            ("standard_webhooks", "Standard Webhooks"),
                            ("github", "GitHub"),
                            ("stripe", "Stripe"),
                        ],
                        max_length=32,
                    ),
                ),
                ("secrets", models.JSONField(default=list)),
                ("mapping", models.JSONField(default=dict)),
                ("name_map", models.JSONField(blank=True, default=dict)),
                ("enabled", models.BooleanField(default=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("rejected_count", models.PositiveBigIntegerField(default=0)),
                ("last_rejected_at", models.DateTimeField(blank=True, null=True)),
                ("last_rejected_part", models.CharField(blank=True, default="", max_length=50)),
                ("last_rejected_reason", models.CharField(blank=True, default="", max_length=200)),
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
            name="Payload",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("sha256", models.BinaryField(max_length=32)),
                ("body", models.TextField()),
                ("size", models.PositiveIntegerField(help_text="Bytes of the body in UTF-8.")),
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
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "sha256"), name="payload_tenant_sha256")],
            },
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(
                condition=models.Q(("routed_at__isnull", True)), fields=["tenant", "id"], name="signal_unrouted"
            ),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["tenant", "name", "id"], name="signal_by_name"),
        ),
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(fields=["tenant", "subject", "id"], name="signal_by_subject"),
        ),
        migrations.AddConstraint(
            model_name="signal",
            constraint=models.UniqueConstraint(fields=("tenant", "source", "external_id"), name="signal_external_id"),
        ),
        migrations.AddConstraint(
            model_name="signal",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="signal_public_id"),
        ),
        migrations.AddIndex(
            model_name="signalkey",
            index=models.Index(fields=["tenant", "name", "key", "received_at"], name="signal_key_lookup"),
        ),
        migrations.AddIndex(
            model_name="signalkey",
            index=models.Index(fields=["tenant", "signal"], name="signal_key_signal"),
        ),
        migrations.AddConstraint(
            model_name="signalsource",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="source_key"),
        ),
        migrations.AddConstraint(
            model_name="signalsource",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="source_public_id"),
        ),
    ]
