"""Quiet hours, caps, and what they did to a delivery. What is held on purpose is not overdue in `/metrics`."""

from importlib import import_module

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from tenants.rls import isolate, lookup

NUMBERS = import_module("deliveries.migrations.0003_service_numbers").NUMBERS
SIGNATURE = "service_numbers()", "TABLE (number text, word text, value double precision)"
AGE = "coalesce(extract(epoch FROM clock_timestamp() - min({})), 0)"
SINCE = AGE.format("greatest(d.planned_at, d.held_until)")
DUE = NUMBERS.replace(AGE.format("d.planned_at"), f"greatest(0, {SINCE})")


def _replaced(before: str, now: str) -> list[migrations.RunSQL]:
    """The function with another body, and back again."""
    made, remade = lookup(*SIGNATURE, now), lookup(*SIGNATURE, before)
    return [migrations.RunSQL(made.reverse_sql, remade.sql), migrations.RunSQL(made.sql, made.reverse_sql)]


class Migration(migrations.Migration):
    """New columns have a default of the database's or may be null, so that code of before goes on writing."""

    dependencies = [
        ("deliveries", "0006_recipients"),
        ("tenants", "0010_recipient_scopes"),
        ("workflows", "0025_young_tables"),
    ]

    operations = [
        migrations.CreateModel(
            name="SendingRules",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("quiet_hours", models.JSONField(default=list)),
                ("caps", models.JSONField(default=list)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                "verbose_name_plural": "sending rules",
            },
        ),
        migrations.AddField(
            model_name="delivery",
            name="coalesced_into",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="counted_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="delivery",
            name="held_by",
            field=models.CharField(blank=True, db_default="", max_length=16),
        ),
        migrations.AddField(
            model_name="delivery",
            name="held_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="recipient",
            name="quiet_hours",
            field=models.JSONField(null=True),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("counted_at__isnull", False)),
                fields=["tenant", "subject", "channel", "-counted_at"],
                name="delivery_counted",
            ),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(
                condition=models.Q(("coalesced_into__isnull", False)),
                fields=["tenant", "coalesced_into"],
                name="delivery_coalesced",
            ),
        ),
        migrations.AddField(
            model_name="sendingrules",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.AddConstraint(
            model_name="sendingrules",
            constraint=models.UniqueConstraint(fields=("tenant",), name="sending_rules_tenant"),
        ),
        *isolate("deliveries_sendingrules"),
        *_replaced(NUMBERS, DUE),
    ]
