"""Storing endpoints and changing their secrets."""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chimeway_py.errors import Conflict, Invalid, NotFound, fault
from chimeway_py.outbound.guard import AddressRefused, check_url
from deliveries.models import Endpoint
from deliveries.models.endpoint import SECRETS
from deliveries.services.template_checks import KEY
from tenants.scope import tenant_scope
from tenants.vault import vault_of

MOST_LIVE_SECRETS = 3
LONGEST_OVERLAP = timedelta(days=30)


class TooManySecrets(Conflict):
    """Three secrets are live; wait until one of them ends."""

    code = "too_many_secrets"


@dataclass(frozen=True, slots=True)
class EndpointSecret:
    """An endpoint and the secret that was just made for it: shown once, to whoever asked. Empty when none was made."""

    endpoint: Endpoint
    secret: str


def put_endpoint(*, tenant_id: int, key: str, url: str, enabled: bool = True) -> EndpointSecret:
    """The endpoint of that key at that address. A new one gets its first secret; an old one keeps those it has.

    Names are resolved when a message is sent; here the address is refused only for its form. Raises `Invalid`.
    """
    _check(key, url)
    with tenant_scope(tenant_id) as scope:
        secret, fresh = _new_secret(), Endpoint(tenant_id=tenant_id)
        first = {"public_id": fresh.public_id, "secrets": [_entry(fresh, secret, scope.now)]}
        endpoint, created = Endpoint.objects.get_or_create(
            tenant_id=tenant_id, key=key, defaults={"url": url, "enabled": enabled, **first}
        )
        if created:
            return EndpointSecret(endpoint, secret)
        if (endpoint.url, endpoint.enabled) != (url, enabled):
            endpoint.url, endpoint.enabled, endpoint.updated_at = url, enabled, scope.now
            endpoint.disabled_reason = "" if enabled else endpoint.disabled_reason
            _store(endpoint, "url", "enabled", "disabled_reason")
        return EndpointSecret(endpoint, "")


def rotate_secret(*, tenant_id: int, key: str, overlap: timedelta = timedelta(days=1)) -> EndpointSecret:
    """A new secret; the others sign for `overlap` (0 to 30 days) at most. Raises `NotFound`, `TooManySecrets`."""
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise Invalid("The overlap is not valid.", [fault("/overlap", "bad_overlap", "From PT0S to P30D.")])
    with tenant_scope(tenant_id) as scope:
        found = Endpoint.objects.filter(tenant_id=tenant_id, key=key).select_for_update(no_key=True).first()
        if found is None:
            raise NotFound
        kept = _ending_by(found.secrets, scope.now, scope.now + overlap)
        if len(kept) >= MOST_LIVE_SECRETS:
            raise TooManySecrets
        secret = _new_secret()
        found.secrets, found.updated_at = [_entry(found, secret, scope.now), *kept], scope.now
        _store(found, "secrets")
        return EndpointSecret(found, secret)


def _ending_by(entries: list[dict[str, Any]], now: datetime, last: datetime) -> list[dict[str, Any]]:
    """The entries that live on at `now`, none of them longer than `last`."""
    kept = []
    for entry in entries:
        not_after = min(last, datetime.fromisoformat(entry["not_after"])) if entry["not_after"] else last
        if not_after > now:
            kept.append(entry | {"not_after": not_after.isoformat()})
    return kept


def _new_secret() -> str:
    """As Standard Webhooks writes them: 256 random bits."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _entry(endpoint: Endpoint, secret: str, now: datetime) -> dict[str, Any]:
    sealed = vault_of(endpoint.tenant_id).seal_as_text(SECRETS, str(endpoint.public_id), secret)
    return {"secret": sealed, "created_at": now.isoformat(), "not_after": None}


def _store(endpoint: Endpoint, *fields: str) -> None:
    Endpoint.objects.filter(tenant_id=endpoint.tenant_id, id=endpoint.pk).update(
        updated_at=endpoint.updated_at, **{name: getattr(endpoint, name) for name in fields}
    )


def _check(key: str, url: str) -> None:
    faults = []
    if not KEY.fullmatch(key):
        faults.append(fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _."))
    try:
        if len(url) > 2000 or not url.isascii() or not url.isprintable():
            raise AddressRefused("malformed_url")
        check_url(url)
    except AddressRefused as error:
        faults.append(fault("/url", error.code, f"{error.message} An http or https address of the public internet."))
    if faults:
        raise Invalid("The endpoint is not valid.", faults)
