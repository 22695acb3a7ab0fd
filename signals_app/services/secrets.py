"""Secrets of sources, sealed at rest: they must be readable to verify a signature, and by nobody else."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from signals_app.models import SignalSource
from tenants.vault import vault_of

PLACE = "signals_app_signalsource.secrets"
Entry = dict[str, Any]


def sealed_entry(row: SignalSource, secret: str) -> Entry:
    """A live secret as the row keeps it."""
    return {"secret": vault_of(row.tenant_id).seal_as_text(PLACE, str(row.public_id), secret), "not_after": None}


def opened_secrets(row: SignalSource) -> list[Entry]:
    """Every secret of a source as {secret, not_after}, oldest first; also those that have ended."""
    vault = vault_of(row.tenant_id)
    name = str(row.public_id)
    return [entry | {"secret": vault.open_from_text(PLACE, name, entry["secret"])} for entry in row.secrets]


def live_secrets(row: SignalSource, now: datetime) -> list[str]:
    """The secrets that may sign at `now`, oldest first."""
    return [entry["secret"] for entry in opened_secrets(row) if lives(entry, now)]


def lives(entry: Mapping[str, Any], now: datetime) -> bool:
    """Whether a secret may still sign."""
    return entry["not_after"] is None or now < datetime.fromisoformat(entry["not_after"])


def ending(entries: Iterable[Entry], now: datetime, end: datetime) -> list[Entry]:
    """The entries that outlive `now`, ending at `end` or before."""
    ends = [
        {**entry, "not_after": min(filter(None, [entry["not_after"], end.isoformat()]), key=datetime.fromisoformat)}
        for entry in entries
    ]
    return [entry for entry in ends if lives(entry, now)]
