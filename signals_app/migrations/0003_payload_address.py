"""Payloads are sealed, and found by a digest under their tenant's key: what is stored is carried over."""

import hashlib
from collections.abc import Iterator
from typing import Any

import django.utils.timezone
from django.db import migrations, models

from tenants.vault import vault_of

PART = 1000
PLACE = "signals_app_payload.sealed"


def seal(apps: Any, schema_editor: Any) -> None:
    """Seal each body and give it its new address. Whatever names one is told by `rename`."""
    cursor = schema_editor.connection.cursor()
    for tenant_id in tenants_with(cursor, "signals_app_payload"):
        vault = vault_of(tenant_id)
        for row_id, body in parts(cursor, "signals_app_payload", "body", tenant_id):
            address = vault.keyed("payload", hashlib.sha256(body.encode()).digest())
            cursor.execute(
                "UPDATE signals_app_payload SET address = %s, sealed = %s WHERE tenant_id = %s AND id = %s",
                [address, vault.seal(PLACE, address, body), tenant_id, row_id],
            )


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


def rekey(cursor: Any, table: str, column: str, purpose: str) -> None:
    """Replace each SHA-256 in a column by the keyed digest that its tenant's vault makes of it."""
    for tenant_id in tenants_with(cursor, table):
        vault = vault_of(tenant_id)
        for row_id, sha in parts(cursor, table, column, tenant_id):
            cursor.execute(
                f"UPDATE {table} SET {column} = %s WHERE tenant_id = %s AND id = %s",  # noqa: S608
                [vault.keyed(purpose, bytes(sha)), tenant_id, row_id],
            )


def tenants_with(cursor: Any, table: str) -> list[int]:
    """Ids of the tenants that have rows in a table."""
    cursor.execute(f"SELECT DISTINCT tenant_id FROM {table}")  # noqa: S608
    return [tenant_id for (tenant_id,) in cursor.fetchall()]


def parts(cursor: Any, table: str, column: str, tenant_id: int) -> Iterator[tuple[int, Any]]:
    """(id, value) of a tenant's rows that have a value, a part of the table in memory."""
    after = 0
    while True:
        cursor.execute(
            f"SELECT id, {column} FROM {table} WHERE tenant_id = %s AND id > %s AND {column} IS NOT NULL"  # noqa: S608
            " ORDER BY id LIMIT %s",
            [tenant_id, after, PART],
        )
        found = cursor.fetchall()
        yield from found
        if not found:
            return
        after = found[-1][0]


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
