"""Webhook sources: create, change, and rotate their secrets without a gap."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction

from chimeway_py.errors import Conflict, Invalid, NotFound, fault
from signals_app.mapping import check_mapping
from signals_app.models import Scheme, SignalSource
from signals_app.services.known_sources import forget_source
from signals_app.services.secrets import ending, live_secrets, sealed_entry
from signals_app.verification import scheme_named
from tenants.scope import tenant_scope

__all__ = [
    "IssuedSource",
    "SourceExists",
    "TooManySecrets",
    "change_source",
    "create_source",
    "delete_source",
    "live_secrets",
    "rotate_secret",
]

RESERVED = {"api", "inbox", "preferences"}  # what signals that came another way name as their source
MAX_LIVE = 3
MAX_OVERLAP = timedelta(days=30)
_KEY = re.compile(r"[a-z0-9][a-z0-9_-]{0,49}")


class SourceExists(Conflict):
    """A source with this key exists."""

    code = "source_exists"


class TooManySecrets(Conflict):
    """Three secrets are live already: wait until one ends, or rotate with an overlap of zero."""

    code = "too_many_secrets"


@dataclass(frozen=True, slots=True)
class IssuedSource:
    """A source and the secret it was just given, which is shown once."""

    row: SignalSource
    secret: str = field(repr=False)


def create_source(
    *,
    tenant_id: int,
    key: str,
    scheme: str,
    mapping: Mapping[str, Any],
    name: str = "",
    name_map: Mapping[str, str] | None = None,
    secret: str = "",
) -> IssuedSource:
    """A new source with one live secret: the one given by the sender, or a fresh one.

    Raises `Invalid` with every fault, and `SourceExists`.
    """
    faults = [*_key_faults(key), *_scheme_faults(scheme, secret), *check_mapping(mapping, name_map or {})]
    if faults:
        raise Invalid("The source is not valid.", faults)
    secret = secret or scheme_named(scheme).new_secret()
    given = {"scheme": scheme, "mapping": mapping, "name_map": name_map or {}, "name": name or key}
    try:
        with tenant_scope(tenant_id):
            row = SignalSource(tenant_id=tenant_id, key=key, **given)
            row.secrets = [sealed_entry(row, secret)]
            row.save(force_insert=True)
    except IntegrityError as error:
        raise SourceExists(f"A source {key} exists.", {"key": key}) from error
    return IssuedSource(row, secret)


def change_source(*, tenant_id: int, public_id: uuid.UUID, changes: Mapping[str, Any]) -> SignalSource:
    """Change `name`, `mapping`, `name_map` or `enabled`; key and scheme stay. Raises `NotFound` and `Invalid`."""
    with tenant_scope(tenant_id) as scope:
        row = _locked(tenant_id, public_id)
        for part in ("name", "mapping", "name_map", "enabled"):
            setattr(row, part, changes.get(part, getattr(row, part)))
        if faults := check_mapping(row.mapping, row.name_map):
            raise Invalid("The source is not valid.", faults)
        row.updated_at = scope.now
        row.save(update_fields=["name", "mapping", "name_map", "enabled", "updated_at"])
        return row


def rotate_secret(*, tenant_id: int, public_id: uuid.UUID, overlap: timedelta, secret: str = "") -> IssuedSource:
    """Add a secret, and let the others end after `overlap` (zero ends them now).

    Raises `NotFound`, `Invalid` and `TooManySecrets` (up to three may be live at once).
    """
    with tenant_scope(tenant_id) as scope:
        row = _locked(tenant_id, public_id)
        faults = _scheme_faults(row.scheme, secret)
        if not timedelta(0) <= overlap <= MAX_OVERLAP:
            faults.append(fault("/overlap_seconds", "out_of_range", "0 to 30 days."))
        if faults:
            raise Invalid("The rotation is not valid.", faults)
        secret = secret or scheme_named(row.scheme).new_secret()
        row.secrets = [*ending(row.secrets, scope.now, scope.now + overlap), sealed_entry(row, secret)]
        if len(row.secrets) > MAX_LIVE:
            raise TooManySecrets
        row.updated_at = scope.now
        row.save(update_fields=["secrets", "updated_at"])
        return IssuedSource(row, secret)


def delete_source(*, tenant_id: int, public_id: uuid.UUID) -> None:
    """Forget a source and its secrets. Its signals stay. Raises `NotFound`."""
    with tenant_scope(tenant_id):
        _locked(tenant_id, public_id).delete()


def _locked(tenant_id: int, public_id: uuid.UUID) -> SignalSource:
    """The source, about to be changed."""
    row = SignalSource.objects.select_for_update(no_key=True).filter(tenant_id=tenant_id, public_id=public_id).first()
    if row is None:
        raise NotFound
    transaction.on_commit(partial(forget_source, public_id))
    return row


def _key_faults(key: str) -> list[dict[str, str]]:
    if key in RESERVED:
        return [fault("/key", "reserved", f"{key} names signals that came another way.")]
    return [] if _KEY.fullmatch(key) else [fault("/key", "bad_key", "1 to 50 lower-case letters, digits, - and _.")]


def _scheme_faults(scheme: str, secret: str) -> list[dict[str, str]]:
    if scheme not in Scheme.values:
        return [fault("/scheme", "unknown_scheme", f"One of {', '.join(Scheme.values)}.")]
    if secret and not scheme_named(scheme).is_secret(secret):
        return [fault("/secret", "bad_secret", "Not a secret of this scheme, or too short.")]
    return []
