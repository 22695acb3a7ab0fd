"""Recipients are found by their addresses: digests of them beside what is sealed."""

import json
import re
from collections.abc import Iterator
from typing import Any

from django.db import migrations, models

from tenants.vault import vault_of
from tenants.vault.migrating import values, write

_WRITTEN = str.maketrans("", "", " -().\u00a0")
_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def fill(apps: Any, schema_editor: Any) -> None:
    """Digests for those who were stored before."""
    cursor = schema_editor.connection.cursor()
    for tenant_id, row_id, sealed, public_id in values(cursor, "deliveries_recipient", "sealed", "public_id"):
        vault = vault_of(tenant_id)
        addresses = json.loads(vault.open("deliveries_recipient.sealed", str(public_id), bytes(sealed)))["addresses"]
        digests = {vault.digest("recipient", form.casefold()).hex() for form in _forms(addresses)}
        write(cursor, "deliveries_recipient", tenant_id, row_id, address_digests=json.dumps(sorted(digests)))


def _forms(addresses: dict[str, Any]) -> Iterator[str]:
    for said in addresses.values():
        for one in said if isinstance(said, list) else [said]:
            if isinstance(one, dict):
                keys = {name: one.get("keys", {}).get(name) for name in ("p256dh", "auth")}
                kept = {"endpoint": one.get("endpoint"), "keys": keys}
                yield json.dumps(kept, sort_keys=True, separators=(",", ":"))
                continue
            yield one
            number = one.translate(_WRITTEN)
            if _E164.fullmatch(number):
                yield number


class Migration(migrations.Migration):
    """Those whom an older process stores meanwhile are found once they are stored again."""

    dependencies = [("deliveries", "0016_vacuum_early")]
    operations = [
        migrations.AddField("recipient", "address_digests", models.JSONField(default=list, db_default=[])),
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=True),
    ]
