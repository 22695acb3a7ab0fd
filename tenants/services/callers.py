"""Find out who speaks: from the text of a key to a tenant and what the key may do."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from django.db import connection

from tenants.scope import database_now

_TOKEN = re.compile(r"cw_([a-z0-9]{12})_([A-Za-z0-9_-]{43})", re.ASCII)
_NOBODY = bytes(32)  # compared against when no key has the prefix, so that a miss costs what a near miss costs


@dataclass(frozen=True, slots=True)
class Caller:
    """A live key: whose it is and what it may do. Views find it in `request.auth`."""

    tenant_id: int
    key_id: int
    prefix: str
    scopes: frozenset[str]


Refusal = Literal["unknown", "revoked", "expired", "suspended"]


def find_caller(token: str) -> Caller | Refusal:
    """The caller that a key names, or in one word why it opens nothing. It is read each time: revoking acts at once."""
    parsed = _TOKEN.fullmatch(token)
    if parsed is None:
        return "unknown"
    prefix, secret = parsed.groups()
    row = _row(prefix)
    digest = bytes(row[2]) if row else _NOBODY
    if not hmac.compare_digest(digest, hashlib.sha256(secret.encode()).digest()) or row is None:
        return "unknown"
    return _judged(prefix, row)


def caller_by_prefix(prefix: str) -> tuple[Caller | Refusal, datetime]:
    """The caller whose key has this prefix, as it stands now, and the database clock.

    For what a key has signed or begun and goes on: who only knows a prefix has proved nothing.
    """
    row = _row(prefix)
    return ("unknown", database_now()) if row is None else (_judged(prefix, row), row[-1])


def _judged(prefix: str, row: tuple[Any, ...]) -> Caller | Refusal:
    key_id, tenant_id, _, scopes, expires_at, revoked_at, suspended_at, now = row
    if revoked_at is not None:
        return "revoked"
    if expires_at is not None and expires_at <= now:
        return "expired"
    if suspended_at is not None:
        return "suspended"
    return Caller(tenant_id, key_id, prefix, frozenset(scopes))


def _row(prefix: str) -> tuple[Any, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM api_key_by_prefix(%s)", [prefix])
        return cursor.fetchone()  # type: ignore[no-any-return]
