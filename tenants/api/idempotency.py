"""`Idempotency-Key`: the same request under the same key is carried out once, and its answer given again."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping

from django.db import connection
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.errors import Conflict, Invalid, fault
from tenants.models import IdempotencyRecord

_KEY = re.compile(r"[!-~]{1,255}")
# A second request with the key waits here until the first commits, and then sees its answer; if the first rolled back,
# it takes the key over.
_TAKE = """
INSERT INTO tenants_idempotencyrecord (tenant_id, key, request_digest, status, answer, created_at)
VALUES (%s, %s, %s, 0, '', clock_timestamp()) ON CONFLICT (tenant_id, key) DO NOTHING RETURNING id
"""


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
    digest = _digest(request)
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [tenant_id, key, digest])
        taken = cursor.fetchone()
    records = IdempotencyRecord.objects.filter(tenant_id=tenant_id, key=key)
    if taken is None:
        return _stored(records.get(), digest)
    response = answer()
    kept = response.data
    if shown_once and isinstance(kept, Mapping):
        kept = {name: value for name, value in kept.items() if name not in shown_once}
    records.update(status=response.status_code, answer=JSONRenderer().render(kept).decode())
    return response


def _stored(record: IdempotencyRecord, digest: bytes) -> Response:
    if bytes(record.request_digest) != digest:
        raise KeyReused
    body = json.loads(record.answer) if record.answer else None
    return Response(body, status=record.status, headers={"Idempotency-Replayed": "true"})


def _digest(request: Request) -> bytes:
    said = [str(request.method), request.get_full_path(), hashlib.sha256(request.body).hexdigest()]
    return hashlib.sha256(json.dumps(said).encode()).digest()
