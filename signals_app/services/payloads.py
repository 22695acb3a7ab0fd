"""Payloads: write bodies once under the digest of their canonical JSON, and read them by it."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from django.db import connection

_WRITE = """
INSERT INTO signals_app_payload (tenant_id, sha256, body, size)
SELECT %s, sha256, body, size FROM unnest(%s::bytea[], %s::text[], %s::int[]) AS given (sha256, body, size)
ON CONFLICT (tenant_id, sha256) DO NOTHING
"""
_IDS = "SELECT sha256, id FROM signals_app_payload WHERE tenant_id = %s AND sha256 = ANY (%s::bytea[])"
_READ = "SELECT sha256, body FROM signals_app_payload WHERE tenant_id = %s AND sha256 = ANY (%s::bytea[])"


def canonical(body: Any) -> str:
    """The one JSON text of a value: keys sorted, no spaces, no escapes that UTF-8 can do without.

    Raises `ValueError` for NaN and infinities, `TypeError` for what JSON cannot say.
    """
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str) -> bytes:
    """SHA-256 of a text in UTF-8. Raises `UnicodeEncodeError` for lone surrogates."""
    return hashlib.sha256(text.encode()).digest()


def write_payloads(*, tenant_id: int, texts: Iterable[str]) -> None:
    """Store canonical texts in one statement, inside the caller's tenant scope. What is stored already stays."""
    # Sorted, so that two transactions that share bodies meet them in one order and cannot deadlock.
    rows = sorted((digest(text), text) for text in set(texts))
    if rows:
        sizes = [len(text.encode()) for _, text in rows]
        with connection.cursor() as cursor:
            cursor.execute(_WRITE, [tenant_id, [sha for sha, _ in rows], [text for _, text in rows], sizes])


def store_payloads(tenant_id: int, bodies: Iterable[Any]) -> dict[bytes, int]:
    """Store JSON values and return the payload id under each digest. Runs in the caller's tenant scope."""
    texts = [canonical(body) for body in bodies]
    write_payloads(tenant_id=tenant_id, texts=texts)
    return dict(_rows(_IDS, tenant_id, map(digest, texts)))


def load_payloads(tenant_id: int, shas: Iterable[bytes]) -> dict[bytes, Any]:
    """The JSON values under these digests; a digest that is not stored is not in the answer."""
    return {sha: json.loads(body) for sha, body in _rows(_READ, tenant_id, shas)}


def _rows(query: str, tenant_id: int, shas: Iterable[bytes]) -> list[tuple[bytes, Any]]:
    wanted = sorted({bytes(sha) for sha in shas})
    if not wanted:
        return []
    with connection.cursor() as cursor:
        cursor.execute(query, [tenant_id, wanted])
        return [(bytes(sha), value) for sha, value in cursor.fetchall()]
