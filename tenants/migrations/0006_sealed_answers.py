"""Answers kept for `Idempotency-Key` are sealed, and say whom they are about by digests, so that they can be erased."""

from typing import Any

import django.contrib.postgres.fields
from django.db import migrations, models

from tenants.vault import vault_of
from tenants.vault.migrating import rekey, values, write


def seal(apps: Any, schema_editor: Any) -> None:
    """Seal each answer; requests are compared by keyed digests."""
    cursor = schema_editor.connection.cursor()
    for tenant_id, row_id, key, answer in values(cursor, "tenants_idempotencyrecord", "key", "answer"):
        sealed = vault_of(tenant_id).seal("tenants_idempotencyrecord.sealed", key, answer)
        write(cursor, "tenants_idempotencyrecord", tenant_id, row_id, sealed=sealed)
    rekey(cursor, "tenants_idempotencyrecord", "request_digest", "request")
    # The updates left deferred checks of foreign keys, and a table with such checks open cannot be altered.
    cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


class Migration(migrations.Migration):
    """Answers of before do not say whom they are about; they leave with time."""

    dependencies = [("tenants", "0005_secret")]
    operations = [
        migrations.AddField(
            "idempotencyrecord",
            "sealed",
            models.BinaryField(help_text="The answer's body, sealed; null when it was erased.", null=True),
        ),
        migrations.AddField(
            "idempotencyrecord",
            "subjects",
            django.contrib.postgres.fields.ArrayField(base_field=models.BinaryField(), default=list, size=None),
        ),
        migrations.RunPython(seal, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("idempotencyrecord", "answer"),
    ]
