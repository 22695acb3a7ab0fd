"""Row-level security on the tables of signals, and the one question asked before a webhook's tenant is known."""

from django.db import migrations

from tenants.rls import isolate, lookup


class Migration(migrations.Migration):
    """Sources of suspended tenants are not found, like those that never were."""

    dependencies = [("signals_app", "0001_initial"), ("tenants", "0002_isolation")]
    operations = [
        *isolate("signals_app_payload"),
        *isolate("signals_app_signalsource"),
        *isolate("signals_app_signal"),
        *isolate("signals_app_signalkey", references={"signal_id": "signals_app_signal"}),
        lookup(
            "tenant_of_source(wanted uuid)",
            "bigint",
            "SELECT s.tenant_id FROM signals_app_signalsource s JOIN tenants_tenant t ON t.id = s.tenant_id"
            " WHERE s.public_id = wanted AND t.suspended_at IS NULL",
        ),
    ]
