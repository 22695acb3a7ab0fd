"""What operators did, with what it changed; a scope to read it; and the one way to forget what is old."""

import django.contrib.postgres.fields
from django.conf import settings
from django.db import migrations, models

_WORDS = ("definitions", "runs", "signals", "sources", "inbox", "deliveries", "recipients", "subjects", "retention")
_SCOPES = [(f"{word}:{may}", f"{word.title()} {may.title()}") for word in _WORDS for may in ("read", "write")]
_SCOPES += [("audit:read", "Audit Read")]
_FUNCTION = "forget_operator_actions(bigint, timestamptz)"


class Migration(migrations.Migration):
    """Rows of before say nothing of changes and addresses: nobody knows them."""

    dependencies = [("tenants", "0012_second_factor"), ("admin", "0003_logentry_add_action_flag_choices")]
    operations = [
        migrations.AddField("operatoraction", "address", models.CharField(blank=True, default="", max_length=45)),
        migrations.AddField("operatoraction", "via", models.CharField(default="admin", max_length=8)),
        migrations.AddField("operatoraction", "changes", models.JSONField(default=dict)),
        migrations.AlterField(
            model_name="apikey",
            name="scopes",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(choices=_SCOPES, max_length=32), size=None
            ),
        ),
        migrations.RunSQL(
            [
                "CREATE FUNCTION forget_operator_actions(wanted bigint, before timestamptz) RETURNS bigint"
                " LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $forget$"
                " WITH gone AS (DELETE FROM tenants_operatoraction WHERE tenant_id = wanted"
                "   AND tenant_id = nullif(current_setting('chimeway.tenant_id', true), '')::bigint"
                "   AND acted_at < least(before, clock_timestamp() - interval '90 days') RETURNING 1)"
                " SELECT count(*) FROM gone $forget$",
                f"REVOKE ALL ON FUNCTION {_FUNCTION} FROM PUBLIC",
                f"GRANT EXECUTE ON FUNCTION {_FUNCTION} TO {settings.DATABASE_APP_ROLE}",
                # Changes of accounts are kept by Django's own log, which belongs to no tenant.
                f"REVOKE UPDATE, DELETE, TRUNCATE ON django_admin_log FROM {settings.DATABASE_APP_ROLE}",
            ],
            [
                f"GRANT UPDATE, DELETE ON django_admin_log TO {settings.DATABASE_APP_ROLE}",
                f"DROP FUNCTION {_FUNCTION}",
            ],
        ),
    ]
