"""`Idempotency-Key`: the same request under the same key is carried out once, and its answer given again."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from django.db import connection
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.errors import Conflict, Invalid, fault
from tenants.models import IdempotencyRecord
from tenants.subjects import subjects_in
from tenants.vault import Vault, vault_of

_KEY = re.compile(r"[!-~]{1,255}")
# A second request with the key waits here until the first commits, and then sees its answer; if the first rolled back,
# it takes the key over.
_TAKE = """
INSERT INTO tenants_idempotencyrecord (tenant_id, key, request_digest, status, subjects, created_at)
VALUES (%s, %s, %s, 0, '{}', clock_timestamp()) ON CONFLICT (tenant_id, key) DO NOTHING RETURNING id
"""
_FORGET = """
UPDATE tenants_idempotencyrecord SET sealed = NULL, subjects = '{}' WHERE tenant_id = %s AND subjects @> ARRAY[%s]
"""
PLACE = "tenants_idempotencyrecord.sealed"


class KeyReused(Conflict):
    """This Idempotency-Key was used for another request."""

    code = "idempotency_key_reused"


def idempotency_key(request: Request) -> str:
    """The key of a request, or an empty text. Raises `Invalid` unless it is 1 to 255 visible ASCII characters."""
    key = request.headers.get("Idempotency-Key")
    if key is None:
        return ""
    if not _KEY.fullmatch(key):
        message = "1 to 255 visible ASCII characters."
        raise Invalid("The Idempotency-Key is not valid.", [fault("/Idempotency-Key", "bad_key", message)])
    return key


def answer_once(
    *, tenant_id: int, key: str, request: Request, shown_once: Collection[str], answer: Callable[[], Response]
) -> Response:
    """The stored answer of this request, or that of `answer()`, stored in the same transaction as what it did.

    An exception stores nothing, so a refused request may be corrected and sent under the same key. Members named in
    `shown_once` (secrets) are not stored, so a replay does not show them. Raises `KeyReused`.
    """
    vault = vault_of(tenant_id)
    digest = vault.keyed("request", _digest(request))
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [tenant_id, key, digest])
        taken = cursor.fetchone()
    records = IdempotencyRecord.objects.filter(tenant_id=tenant_id, key=key)
    if taken is None:
        return _stored(vault, records.get(), digest)
    response = answer()
    kept = response.data
    if shown_once and isinstance(kept, Mapping):
        kept = {name: value for name, value in kept.items() if name not in shown_once}
    text = JSONRenderer().render(kept).decode()
    subjects = [vault.digest("subject", subject) for subject in sorted(_subjects(request, kept))]
    records.update(status=response.status_code, sealed=vault.seal(PLACE, key, text), subjects=subjects)
    return response


def forget_answers(*, tenant_id: int, subject: str) -> int:
    """Empty the stored answers that are about a subject; how many. Needs the tenant's scope.

    Their keys stay taken: a repeated request is still not carried out again, and is answered without a body.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, [tenant_id, vault_of(tenant_id).digest("subject", subject)])
        return int(cursor.rowcount)


def _subjects(request: Request, answer: Any) -> set[str]:
    """Whom a request and its answer are about, by their address and their bodies."""
    addressed = (request.parser_context or {}).get("kwargs", {}).get("subject", "")
    return subjects_in(request.data) | subjects_in(answer) | ({addressed} if addressed else set())


def _stored(vault: Vault, record: IdempotencyRecord, digest: bytes) -> Response:
    if bytes(record.request_digest) != digest:
        raise KeyReused
    text = vault.open(PLACE, record.key, bytes(record.sealed)) if record.sealed is not None else ""
    body = json.loads(text) if text else None
    return Response(body, status=record.status, headers={"Idempotency-Replayed": "true"})


def _digest(request: Request) -> bytes:
    """What a vault makes the stored digest of."""
    said = [str(request.method), request.get_full_path(), hashlib.sha256(request.body).hexdigest()]
    return hashlib.sha256(json.dumps(said).encode()).digest()
