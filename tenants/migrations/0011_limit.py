"""Limits of tenants, what is used of them, and the question which have changed, for processes that know the others."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

from tenants.rls import isolate, lookup

_KINDS = [
    ("requests_per_minute", "Requests Per Minute"),
    ("signals_per_minute", "Signals Per Minute"),
    ("signals_per_day", "Signals Per Day"),
    ("starts_per_minute", "Starts Per Minute"),
    ("payload_bytes_per_day", "Payload Bytes Per Day"),
    ("live_runs", "Live Runs"),
]


def _row() -> list[tuple[str, models.Field]]:
    tenant = models.ForeignKey(
        db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="tenants.tenant"
    )
    return [
        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("kind", models.CharField(choices=_KINDS, max_length=32)),
        ("tenant", tenant),
    ]


class Migration(migrations.Migration):
    """No tenant has a limit until somebody sets one."""

    dependencies = [("tenants", "0010_recipient_scopes")]
    operations = [
        migrations.CreateModel(
            name="Limit",
            fields=[
                *_row(),
                ("amount", models.BigIntegerField(null=True)),
                ("is_default", models.BooleanField(default=False)),
                ("changed_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("changed_by", models.CharField(blank=True, default="", max_length=150)),
            ],
            options={
                "indexes": [models.Index(fields=["changed_at"], name="limit_changed")],
                "constraints": [models.UniqueConstraint(fields=("tenant", "kind"), name="limit_tenant_kind")],
            },
        ),
        migrations.CreateModel(
            name="LimitUse",
            fields=[
                *_row(),
                ("remaining", models.FloatField()),
                ("filled_at", models.DateTimeField()),
                ("since", models.DateTimeField()),
                ("used_by", models.JSONField(default=dict)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "kind"), name="limit_use_tenant_kind")],
            },
        ),
        *isolate("tenants_limit"),
        *isolate("tenants_limituse"),
        # Rows that are rewritten all the time keep to their pages, and are vacuumed while they are few.
        migrations.RunSQL(
            "ALTER TABLE tenants_limituse SET (fillfactor = 50, autovacuum_vacuum_threshold = 1000,"
            " autovacuum_vacuum_scale_factor = 0)",
            "ALTER TABLE tenants_limituse RESET (fillfactor, autovacuum_vacuum_threshold,"
            " autovacuum_vacuum_scale_factor)",
        ),
        lookup(
            "limits_changed_since(since timestamptz)",
            "TABLE (tenant_id bigint, kind varchar, amount bigint, is_default boolean, changed_at timestamptz)",
            "SELECT l.tenant_id, l.kind, l.amount, l.is_default, l.changed_at FROM tenants_limit l"
            " WHERE l.changed_at > since",
        ),
    ]
