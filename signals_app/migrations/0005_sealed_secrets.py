"""The secrets of sources are sealed where they lie."""

import json
from typing import Any

from django.db import migrations

from tenants.vault import vault_of
from tenants.vault.migrating import values, write


def seal(apps: Any, schema_editor: Any) -> None:
    """Seal each secret of each list."""
    cursor = schema_editor.connection.cursor()
    for tenant_id, row_id, kept, public_id in values(cursor, "signals_app_signalsource", "secrets", "public_id"):
        entries = json.loads(kept) if isinstance(kept, str) else kept
        for entry in entries:
            place = "signals_app_signalsource.secrets"
            entry["secret"] = vault_of(tenant_id).seal_as_text(place, str(public_id), entry["secret"])
        write(cursor, "signals_app_signalsource", tenant_id, row_id, secrets=json.dumps(entries))


class Migration(migrations.Migration):
    """Nothing of the schema changes."""

    dependencies = [("signals_app", "0004_signal_unused")]
    operations = [migrations.RunPython(seal, migrations.RunPython.noop, elidable=True)]
