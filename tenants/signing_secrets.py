"""The secrets that we sign webhooks with: made here, kept sealed in a list, rotated with an overlap.

An entry is {secret, created_at, not_after}; the newest comes first and has no end.
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from chimeway_py.errors import Conflict, Invalid, fault
from tenants.vault import Vault

MOST_LIVE_SECRETS = 3
LONGEST_OVERLAP = timedelta(days=30)
Entries = Sequence[dict[str, Any]]


class TooManySecrets(Conflict):
    """Three secrets are live; wait until one of them ends."""

    code = "too_many_secrets"


def new_secret() -> str:
    """As Standard Webhooks writes them: 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def sealed_entry(vault: Vault, place: str, name: str, secret: str, now: datetime) -> dict[str, Any]:
    """A new secret as it is kept."""
    return {"secret": vault.seal_as_text(place, name, secret), "created_at": now.isoformat(), "not_after": None}


def rotated(entries: Entries, new: dict[str, Any], now: datetime, overlap: timedelta) -> list[dict[str, Any]]:
    """The entries with a new one in front; those of before sign for `overlap` at most. Raises `TooManySecrets`."""
    kept = _ending_by(entries, now, now + overlap)
    if len(kept) >= MOST_LIVE_SECRETS:
        raise TooManySecrets
    return [new, *kept]


def check_overlap(overlap: timedelta) -> None:
    """Raise `Invalid` unless it is from nothing to thirty days."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid("The overlap is not valid.", [fault("/overlap", "bad_overlap", "From PT0S to P30D.")])


def live_secrets(vault: Vault, place: str, name: str, entries: Entries, now: datetime) -> list[str]:
    """The secrets that sign at `now`, newest first."""
    return [
        vault.open_from_text(place, name, entry["secret"])
        for entry in entries
        if entry["not_after"] is None or datetime.fromisoformat(entry["not_after"]) > now
    ]


def _ending_by(entries: Entries, now: datetime, last: datetime) -> list[dict[str, Any]]:
    """The entries that live on at `now`, none of them longer than `last`."""
    kept = []
    for entry in entries:
        not_after = min(last, datetime.fromisoformat(entry["not_after"])) if entry["not_after"] else last
        if not_after > now:
            kept.append(entry | {"not_after": not_after.isoformat()})
    return kept
