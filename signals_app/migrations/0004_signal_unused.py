"""An index of what may still expire, and the question which tenants have any."""

from django.db import migrations, models

from tenants.rls import lookup


class Migration(migrations.Migration):
    dependencies = [
        ("signals_app", "0003_payload_address"),
        ("tenants", "0004_tenant_keys"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="signal",
            index=models.Index(
                condition=models.Q(("verdict__in", ["buffered", "unmatched"])),
                fields=["tenant", "received_at"],
                name="signal_unused",
            ),
        ),
        lookup(
            "tenants_with_unused_signals(lifetime interval)",
            "TABLE (tenant_id bigint)",
            "SELECT t.id FROM tenants_tenant t WHERE EXISTS (SELECT 1 FROM signals_app_signal s WHERE s.tenant_id = t.id"
            " AND s.verdict IN ('buffered', 'unmatched') AND s.received_at < clock_timestamp() - lifetime)",
        ),
    ]
