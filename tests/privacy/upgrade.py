"""Run by a test as a program, on a database of its own: store rows as the service did before vaults, then migrate.

Prints as JSON what the service of today reads of them.
"""

import hashlib
import json
from typing import Any

import django
from django.core.management import call_command
from django.db import connections

BEFORE = [
    ("tenants", "0003_operator_roles"),
    ("signals_app", "0002_isolation"),
    ("workflows", "0004_run_attention"),
    ("deliveries", "0003_service_numbers"),
]
BODY = '{"old":"payload"}'
SHA = hashlib.sha256(BODY.encode()).digest()
ID, AT = "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10", "2026-01-01T00:00:00+00:00"
TIMES = {"created_at": AT, "updated_at": AT}
SIGNAL = {"source": "api", "external_id": "e1", "name": "a.b", "subject": "ada", "occurred_at": AT, "received_at": AT}
COUNTS = {"route_failures": 0, "route_cursor": 0, "verdict_reason": "", "verdict_context": "{}", "duplicate_count": 0}
REJECTED = {"rejected_count": 0, "last_rejected_part": "", "last_rejected_reason": ""}
ROWS: list[tuple[str, dict[str, Any]]] = [
    (
        "tenants_tenant",
        {"id": 1, "public_id": ID, "slug": "acme", "name": "Acme", "time_zone": "UTC", "created_at": AT},
    ),
    ("signals_app_payload", {"tenant_id": 1, "sha256": SHA, "body": BODY, "size": len(BODY)}),
    (
        "signals_app_signal",
        {"tenant_id": 1, "public_id": ID, "correlation": "{}", "payload_sha": SHA, "body_digest": SHA}
        | SIGNAL
        | COUNTS,
    ),
    (
        "signals_app_signalsource",
        {"tenant_id": 1, "public_id": ID, "key": "crm", "name": "CRM", "scheme": "github", "enabled": True}
        | {"secrets": json.dumps([{"secret": "old secret", "not_after": None}]), "mapping": "{}", "name_map": "{}"}
        | TIMES
        | REJECTED,
    ),
    (
        "deliveries_endpoint",
        {"tenant_id": 1, "public_id": ID, "key": "pager", "url": "https://example.com", "enabled": True}
        | {"secrets": json.dumps([{"secret": "whsec_old", "created_at": AT, "not_after": None}]), "disabled_reason": ""}
        | TIMES,
    ),
    (
        "deliveries_template",
        {"tenant_id": 1, "key": "hello", "channel": "email", "subject": "Old words", "text": "t", "html": ""}
        | {"checksum": "c" * 64}
        | TIMES,
    ),
    (
        "tenants_idempotencyrecord",
        {"tenant_id": 1, "key": "k", "request_digest": SHA, "status": 202, "answer": BODY, "created_at": AT},
    ),
]


def main() -> None:
    """Migrate so far, store, migrate the rest, read."""
    django.setup()
    for app, name in BEFORE:
        call_command("migrate", app, name, database="owner", interactive=False, verbosity=0)
    with connections["owner"].cursor() as cursor:
        for table, row in ROWS:
            places = ", ".join(["%s"] * len(row))
            cursor.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({places})", list(row.values()))  # noqa: S608
    call_command("migrate", database="owner", interactive=False, verbosity=0)
    print(json.dumps(read()))  # noqa: T201


def read() -> dict[str, object]:
    """What is there now."""
    from deliveries.models import Endpoint
    from signals_app.models import Payload, Signal, SignalSource
    from signals_app.services import load_payloads
    from signals_app.services.secrets import opened_secrets
    from tenants.api.idempotency import PLACE
    from tenants.models import IdempotencyRecord
    from tenants.scope import tenant_scope
    from tenants.vault import vault_of

    with tenant_scope(1) as scope:
        signal, record, vault = Signal.objects.get(), IdempotencyRecord.objects.get(), vault_of(1)
        return {
            "payload": load_payloads(1, [bytes(signal.payload_sha or b"")]).popitem()[1],
            "address": bytes(Payload.objects.get().address) == vault.keyed("payload", SHA),
            "digest": bytes(signal.body_digest) == vault.keyed("signal", SHA),
            "source": opened_secrets(SignalSource.objects.get())[0]["secret"],
            "endpoint": Endpoint.objects.get().live_secrets(scope.now),
            "template": _words(),
            "answer": vault.open(PLACE, record.key, bytes(record.sealed or b"")),
        }


def _words() -> list[object]:
    """Of the template that had no versions: what it says, and that storing the same words again changes nothing."""
    from deliveries.models import Template
    from deliveries.services import put_template

    before = Template.objects.get().shown
    put_template(tenant_id=1, key="hello", channel="email", subject="Old words", text="t")
    after = Template.objects.get().shown
    return [after.default["subject"], after.number, before.status, before.pk == after.pk]


if __name__ == "__main__":
    main()
