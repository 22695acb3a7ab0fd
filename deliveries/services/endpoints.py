"""Storing endpoints and changing their secrets."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chimeway_py.errors import Invalid, NotFound, fault
from chimeway_py.outbound.guard import url_faults
from deliveries.models import Endpoint
from deliveries.models.endpoint import SECRETS
from deliveries.services.template_checks import KEY
from tenants.scope import tenant_scope
from tenants.signing_secrets import check_overlap, new_secret, rotated, sealed_entry
from tenants.vault import vault_of
from workflows.models import DisabledReason


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
        secret, fresh = new_secret(), Endpoint(tenant_id=tenant_id)
        first = {"public_id": fresh.public_id, "secrets": [_entry(fresh, secret, scope.now)]}
        first |= {} if enabled else {"disabled_reason": DisabledReason.ASKED, "disabled_at": scope.now}
        endpoint, created = Endpoint.objects.get_or_create(
            tenant_id=tenant_id, key=key, defaults={"url": url, "enabled": enabled, **first}
        )
        if created:
            return EndpointSecret(endpoint, secret)
        if (endpoint.url, endpoint.enabled) != (url, enabled):
            _change(endpoint, url, enabled, scope.now)
        return EndpointSecret(endpoint, "")


def _change(endpoint: Endpoint, url: str, enabled: bool, now: datetime) -> None:
    """Another address, or a switch: either way its failures are counted anew."""
    if endpoint.enabled != enabled:
        endpoint.disabled_reason, endpoint.disabled_at = ("", None) if enabled else (DisabledReason.ASKED, now)
    endpoint.url, endpoint.enabled, endpoint.failing_since, endpoint.updated_at = url, enabled, None, now
    _store(endpoint, "url", "enabled", "disabled_reason", "disabled_at", "failing_since")


def rotate_secret(*, tenant_id: int, key: str, overlap: timedelta = timedelta(days=1)) -> EndpointSecret:
    """A new secret; the others sign for `overlap` (0 to 30 days) at most. Raises `NotFound`, `TooManySecrets`."""
    check_overlap(overlap)
    with tenant_scope(tenant_id) as scope:
        found = Endpoint.objects.filter(tenant_id=tenant_id, key=key).select_for_update(no_key=True).first()
        if found is None:
            raise NotFound
        secret = new_secret()
        found.secrets = rotated(found.secrets, _entry(found, secret, scope.now), scope.now, overlap)
        found.updated_at = scope.now
        _store(found, "secrets")
        return EndpointSecret(found, secret)


def _entry(endpoint: Endpoint, secret: str, now: datetime) -> dict[str, Any]:
    return sealed_entry(vault_of(endpoint.tenant_id), SECRETS, str(endpoint.public_id), secret, now)


def _store(endpoint: Endpoint, *fields: str) -> None:
    Endpoint.objects.filter(tenant_id=endpoint.tenant_id, id=endpoint.pk).update(
        updated_at=endpoint.updated_at, **{name: getattr(endpoint, name) for name in fields}
    )


def _check(key: str, url: str) -> None:
    faults = []
    if not KEY.fullmatch(key):
        faults.append(fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _."))
    faults += url_faults(url)
    if faults:
        raise Invalid("The endpoint is not valid.", faults)
