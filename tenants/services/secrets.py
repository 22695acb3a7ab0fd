"""Storing secrets and reading those that count. A value is shown to nobody after it was stored."""

import base64
import re
import secrets as random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chimeway_py.errors import Conflict, Invalid, NotFound, fault
from tenants.models import Secret
from tenants.scope import tenant_scope
from tenants.vault import Vault, vault_of

PLACE = "tenants_secret.entries"
KEY = re.compile(r"[a-z0-9_]{1,64}")
LONGEST_VALUE = 4096
MOST_LIVE = 3
LONGEST_OVERLAP = timedelta(days=30)


class TooManyValues(Conflict):
    """Three values of the secret are live; wait until one of them ends."""

    code = "too_many_values"


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A secret, and the value that was made for it (shown once); empty when the caller brought the value."""

    secret: Secret
    made: str = ""


def put_secret(*, tenant_id: int, key: str, value: str = "", overlap: timedelta = timedelta(0)) -> StoredSecret:
    """The secret under this key with a new value; without one, 256 random bits are made (`whsec_…`).

    Values of before count for `overlap` (0 to 30 days) at most. Raises `Invalid` and `TooManyValues`.
    """
    made = "" if value else "whsec_" + base64.b64encode(random.token_bytes(32)).decode()
    _check(key, value or made, overlap)
    with tenant_scope(tenant_id) as scope:
        Secret.objects.bulk_create([Secret(tenant_id=tenant_id, key=key)], ignore_conflicts=True)
        mine = Secret.objects.filter(tenant_id=tenant_id, key=key).select_for_update(no_key=True).get()
        kept = _ending_by(mine.entries, scope.now, scope.now + overlap)
        if len(kept) >= MOST_LIVE:
            raise TooManyValues
        sealed = vault_of(tenant_id).seal_as_text(PLACE, key, value or made)
        mine.entries = [{"sealed": sealed, "created_at": scope.now.isoformat(), "not_after": None}, *kept]
        mine.updated_at = scope.now
        Secret.objects.filter(tenant_id=tenant_id, id=mine.pk).update(entries=mine.entries, updated_at=mine.updated_at)
        return StoredSecret(mine, made)


def secret_values(*, tenant_id: int, key: str) -> list[str]:
    """The values that count now, newest first; none when there is no such secret. Raises `CannotOpen`."""
    with tenant_scope(tenant_id) as scope:
        found = Secret.objects.filter(tenant_id=tenant_id, key=key).first()
        if found is None:
            return []
        vault = vault_of(tenant_id)
        return [_open(vault, key, entry) for entry in _live(found.entries, scope.now)]


def secret_exists(*, tenant_id: int, key: str) -> bool:
    """Whether the tenant has a secret under this key."""
    with tenant_scope(tenant_id):
        return Secret.objects.filter(tenant_id=tenant_id, key=key).exists()


def delete_secret(*, tenant_id: int, key: str) -> None:
    """Forget a secret with all its values: what names it fails from now on. Raises `NotFound`."""
    with tenant_scope(tenant_id):
        deleted, _ = Secret.objects.filter(tenant_id=tenant_id, key=key).delete()
        if not deleted:
            raise NotFound


def _open(vault: Vault, key: str, entry: dict[str, Any]) -> str:
    return vault.open_from_text(PLACE, key, entry["sealed"])


def _live(entries: list[dict[str, Any]], now: datetime) -> list[dict[str, Any]]:
    return [
        entry for entry in entries if entry["not_after"] is None or datetime.fromisoformat(entry["not_after"]) > now
    ]


def _ending_by(entries: list[dict[str, Any]], now: datetime, last: datetime) -> list[dict[str, Any]]:
    """The entries that live on at `now`, none of them longer than `last`."""
    ended = []
    for entry in entries:
        not_after = min(last, datetime.fromisoformat(entry["not_after"])) if entry["not_after"] else last
        ended.append(entry | {"not_after": not_after.isoformat()})
    return _live(ended, now)


def _check(key: str, value: str, overlap: timedelta) -> None:
    faults = []
    if not KEY.fullmatch(key):
        faults.append(fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _."))
    if len(value) > LONGEST_VALUE or not value.isascii() or not value.isprintable():
        faults.append(fault("/value", "bad_value", f"At most {LONGEST_VALUE} printable ASCII characters."))
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        faults.append(fault("/overlap", "bad_overlap", "From PT0S to P30D."))
    if faults:
        raise Invalid("The secret is not valid.", faults)
