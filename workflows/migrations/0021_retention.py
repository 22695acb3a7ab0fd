"""Retention: policies, legal holds, and prunes under way."""

import django.db.models.deletion
from django.db import migrations, models

import tenants.ids
from tenants.rls import isolate, lookup


class Migration(migrations.Migration):
    """Three tables, and the one question that is asked across tenants."""

    dependencies = [
        ("tenants", "0009_retention"),
        ("workflows", "0020_definition_switch"),
        ("signals_app", "0009_pruned"),
    ]
    operations = [
        migrations.CreateModel(
            name="LegalHold",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                (
                    "on",
                    models.CharField(
                        choices=[("run", "Run"), ("subject", "Subject"), ("definition", "Definition")], max_length=16
                    ),
                ),
                (
                    "value",
                    models.CharField(
                        help_text="The public id of a run, a subject, or the key of a definition.", max_length=200
                    ),
                ),
                ("reason", models.CharField(max_length=200)),
                ("placed_by", models.CharField(max_length=150)),
                ("placed_at", models.DateTimeField()),
                ("released_by", models.CharField(blank=True, default="", max_length=150)),
                ("released_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="PruneOrder",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=tenants.ids.new_public_id, editable=False)),
                ("plan", models.CharField(help_text="The token of the plan.", max_length=64)),
                ("parts", models.JSONField()),
                ("reason", models.CharField(max_length=200)),
                ("ordered_by", models.CharField(max_length=150)),
                ("ordered_at", models.DateTimeField()),
                ("pruned", models.JSONField(default=dict)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="RetentionPolicy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "what",
                    models.CharField(
                        choices=[
                            ("completed", "Completed"),
                            ("stopped", "Stopped"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                            ("expired", "Expired"),
                            ("signals", "Signals"),
                            ("inbox", "Inbox"),
                            ("answers", "Answers"),
                        ],
                        max_length=16,
                    ),
                ),
                ("days", models.PositiveIntegerField()),
                ("is_automatic", models.BooleanField(default=False)),
                ("archives", models.BooleanField(default=False)),
                ("looked_through", models.BigIntegerField(default=0)),
                ("changed_by", models.CharField(max_length=150)),
                ("changed_at", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "retention policies",
            },
        ),
        migrations.AddField(
            model_name="legalhold",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="pruneorder",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddField(
            model_name="retentionpolicy",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="legalhold",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="legal_hold_public_id"),
        ),
        migrations.AddConstraint(
            model_name="legalhold",
            constraint=models.UniqueConstraint(
                condition=models.Q(("released_at__isnull", True)),
                fields=("tenant", "on", "value"),
                name="legal_hold_once",
            ),
        ),
        migrations.AddIndex(
            model_name="pruneorder",
            index=models.Index(
                condition=models.Q(("finished_at__isnull", True)), fields=["tenant", "id"], name="prune_order_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="pruneorder",
            constraint=models.UniqueConstraint(fields=("tenant", "public_id"), name="prune_order_public_id"),
        ),
        migrations.AddConstraint(
            model_name="retentionpolicy",
            constraint=models.UniqueConstraint(fields=("tenant", "what"), name="retention_policy_what"),
        ),
        *isolate("workflows_retentionpolicy"),
        *isolate("workflows_legalhold"),
        *isolate("workflows_pruneorder"),
        lookup(
            "tenants_to_prune()",
            "TABLE (tenant_id bigint)",
            "SELECT p.tenant_id FROM workflows_retentionpolicy p WHERE p.is_automatic "
            "UNION SELECT o.tenant_id FROM workflows_pruneorder o WHERE o.finished_at IS NULL",
        ),
    ]
