"""Payloads are sealed, and found by a digest under their tenant's key: what is stored is carried over."""

import hashlib
from typing import Any

import django.utils.timezone
from django.db import migrations, models

from tenants.vault import vault_of
from tenants.vault.migrating import rekey, values, write


def seal(apps: Any, schema_editor: Any) -> None:
    """Seal each body and give it its new address. Whatever names one is told by `rename`."""
    cursor = schema_editor.connection.cursor()
    for tenant_id, row_id, body in values(cursor, "signals_app_payload", "body"):
        vault = vault_of(tenant_id)
        address = vault.keyed("payload", hashlib.sha256(body.encode()).digest())
        sealed = vault.seal("signals_app_payload.sealed", address, body)
        write(cursor, "signals_app_payload", tenant_id, row_id, address=address, sealed=sealed)


def rename(apps: Any, schema_editor: Any) -> None:
    """Signals and runs name their payloads by the new address, and requests are compared by keyed digests.

    Runs are not ours, but rows that name a payload change with it, in one transaction.
    """
    cursor = schema_editor.connection.cursor()
    rekey(cursor, "signals_app_signal", "payload_sha", "payload")
    rekey(cursor, "signals_app_signal", "body_digest", "signal")
    cursor.execute("SELECT to_regclass('workflows_run')")
    if cursor.fetchone()[0] is not None:
        rekey(cursor, "workflows_run", "data_sha", "payload")
        rekey(cursor, "workflows_run", "request_digest", "start")


class Migration(migrations.Migration):
    """A tenant's keys are made on the way, if it has none."""

    dependencies = [("signals_app", "0002_isolation"), ("tenants", "0004_tenant_keys")]
    operations = [
        migrations.RemoveConstraint("payload", "payload_tenant_sha256"),
        migrations.RenameField("payload", "sha256", "address"),
        migrations.AddField("payload", "sealed", models.BinaryField(null=True)),
        migrations.AddField(
            "payload", "stored_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)
        ),
        migrations.RunPython(seal, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(rename, migrations.RunPython.noop, elidable=True),
        migrations.AlterField(
            "payload",
            "sealed",
            models.BinaryField(help_text="The canonical JSON, sealed by the tenant's vault."),
        ),
        migrations.RemoveField("payload", "body"),
        migrations.AlterField("payload", "size", models.PositiveIntegerField(help_text="Bytes of the JSON in UTF-8.")),
        migrations.AddConstraint(
            "payload", models.UniqueConstraint(fields=["tenant", "address"], name="payload_tenant_address")
        ),
    ]
