"""What inbox items say and the secrets of endpoints are sealed."""

import json
from typing import Any

from django.db import migrations, models

from tenants.vault import vault_of
from tenants.vault.migrating import values, write


def seal_items(apps: Any, schema_editor: Any) -> None:
    """Title, body and data of each item become one sealed value."""
    cursor = schema_editor.connection.cursor()
    columns = "public_id", "title", "body", "data"
    for tenant_id, row_id, public_id, title, body, data in values(cursor, "deliveries_inboxitem", *columns):
        content = {"title": title, "body": body, "data": json.loads(data) if isinstance(data, str) else data}
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        sealed = vault_of(tenant_id).seal("deliveries_inboxitem.sealed", str(public_id), text)
        write(cursor, "deliveries_inboxitem", tenant_id, row_id, sealed=sealed)


def seal_secrets(apps: Any, schema_editor: Any) -> None:
    """Seal each secret of each list."""
    cursor = schema_editor.connection.cursor()
    for tenant_id, row_id, kept, public_id in values(cursor, "deliveries_endpoint", "secrets", "public_id"):
        entries = json.loads(kept) if isinstance(kept, str) else kept
        for entry in entries:
            place = "deliveries_endpoint.secrets"
            entry["secret"] = vault_of(tenant_id).seal_as_text(place, str(public_id), entry["secret"])
        write(cursor, "deliveries_endpoint", tenant_id, row_id, secrets=json.dumps(entries))


class Migration(migrations.Migration):
    """Addresses that bounced before are tried once more: their digests are made under another key now."""

    dependencies = [("deliveries", "0003_service_numbers"), ("tenants", "0004_tenant_keys")]
    operations = [
        migrations.AddField(
            "inboxitem",
            "sealed",
            models.BinaryField(null=True, help_text="Title, body and data, sealed; null when they were erased."),
        ),
        migrations.RunPython(seal_items, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(seal_secrets, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("inboxitem", "title"),
        migrations.RemoveField("inboxitem", "body"),
        migrations.RemoveField("inboxitem", "data"),
    ]
