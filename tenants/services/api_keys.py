"""Issue, rotate and revoke API keys. The secret is shown once, when it is issued, and never stored."""

import hashlib
import secrets
import string
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chimeway_py.errors import Conflict, Invalid, NotFound, fault
from tenants.models import ApiKey
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope

_PREFIX_LETTERS = string.ascii_lowercase + string.digits
MAX_OVERLAP = timedelta(days=90)


class KeyNotLive(Conflict):
    """The key was revoked, has expired, or was rotated before: only a live key can be rotated."""

    code = "key_not_live"


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A fresh key. `token` is what the caller sends; it cannot be read again."""

    row: ApiKey
    token: str = field(repr=False)


def create_api_key(
    *, tenant_id: int, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> IssuedKey:
    """A new key of the tenant with these scopes. Raises `Invalid` for an unknown scope or an empty name."""
    wanted = _check(name, scopes)
    with tenant_scope(tenant_id):
        return _issue(tenant_id, name, wanted, expires_at)


def rotate_api_key(*, tenant_id: int, public_id: uuid.UUID | str, overlap: timedelta) -> IssuedKey:
    """A successor with the same name and scopes; both live for `overlap`, then the old one expires.

    Raises `NotFound`, `KeyNotLive`, and `Invalid` for an overlap below zero or above 90 days.
    """
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise Invalid("The overlap is not valid.", [fault("/overlap", "out_of_range", "0 to 90 days.")])
    with tenant_scope(tenant_id) as scope:
        old = _locked(tenant_id, public_id)
        if not is_live(old, scope.now) or old.replaced_by_id is not None:
            raise KeyNotLive
        issued = _issue(tenant_id, old.name, old.scopes, None)
        old.replaced_by = issued.row
        old.expires_at = min(filter(None, [old.expires_at, scope.now + overlap]))
        old.save(update_fields=["replaced_by", "expires_at"])
        return issued


def revoke_api_key(*, tenant_id: int, public_id: uuid.UUID | str) -> ApiKey:
    """End a key now, for ever. Revoking it again keeps the first time. Raises `NotFound`."""
    with tenant_scope(tenant_id) as scope:
        key = _locked(tenant_id, public_id)
        if key.revoked_at is None:
            key.revoked_at = scope.now
            key.save(update_fields=["revoked_at"])
        return key


def is_live(key: ApiKey, now: datetime) -> bool:
    """Whether the key opens anything at `now`."""
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def _issue(tenant_id: int, name: str, scopes: list[str], expires_at: datetime | None) -> IssuedKey:
    prefix = "".join(secrets.choice(_PREFIX_LETTERS) for _ in range(12))
    secret = secrets.token_urlsafe(32)
    row = ApiKey.objects.create(
        tenant_id=tenant_id,
        name=name,
        prefix=prefix,
        secret_digest=hashlib.sha256(secret.encode()).digest(),
        scopes=scopes,
        expires_at=expires_at,
    )
    return IssuedKey(row, f"cw_{prefix}_{secret}")


def _locked(tenant_id: int, public_id: uuid.UUID | str) -> ApiKey:
    key = ApiKey.objects.select_for_update().filter(tenant_id=tenant_id, public_id=public_id).first()
    if key is None:
        raise NotFound
    return key


def _check(name: str, scopes: Iterable[str]) -> list[str]:
    wanted = sorted(set(scopes))
    faults = [
        fault("/scopes", "unknown_scope", f"{scope} is not a scope.") for scope in wanted if scope not in Scope.values
    ]
    if not 0 < len(name) <= 100 or "\0" in name:
        faults.append(fault("/name", "bad_name", "1 to 100 characters."))
    if faults:
        raise Invalid("The key is not valid.", faults)
    return wanted
