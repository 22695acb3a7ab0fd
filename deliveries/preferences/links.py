"""The links by which recipients refuse: what they hold, and how they prove that we made them.

A link holds whose mail it was in and what that was about, wrapped under a key of the tenant's that is never rotated: it
needs no row of ours, so it works for as long as the mail lies somewhere, and whoever reads it learns nothing. Whoever
has it can do one thing: refuse more of what that mail was about, for whom it was sent to.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from chimeway_py.errors import NotFound
from deliveries.models import Delivery
from tenants.scope import tenant_scope
from tenants.services import tenant_exists
from tenants.vault import vault_of

_PURPOSE, _TENANT = "unsubscribe", 8
_WRAPPED = b"\x01"
"""What links begin with that hold what they are about. Those of before begin with a zero: a tenant's number does."""
_SAMPLE = "sample"
_LONGEST = 640  # bytes: as text, with our address around it, still one line of a mail (RFC 5322)
_ID, _MAC = 16, 16


class BadLink(NotFound):
    """This link is not one of ours, or what it was about is gone."""

    code = "bad_unsubscribe_link"


@dataclass(frozen=True, slots=True)
class Named:
    """What a link is about: a mail of this workflow and category over this channel, to this recipient."""

    tenant_id: int
    subject: str
    category: str
    workflow: str
    channel: str


def unsubscribe_url(delivery: Delivery) -> str | None:
    """The link of a message. None without a public address of ours."""
    return address_of(token_of(delivery))


def address_of(token: str) -> str | None:
    """Where a token is followed. None without a public address of ours."""
    if not settings.PUBLIC_URL:
        return None
    return settings.PUBLIC_URL.rstrip("/") + reverse("unsubscribe", args=[token])  # type: ignore[no-any-return]


def sample_url() -> str | None:
    """The link of a message that only shows itself: it leads nowhere. None without a public address of ours."""
    return address_of(_SAMPLE)


def token_of(delivery: Delivery) -> str:
    """The last part of the link of a delivery: always the same."""
    about = f"{delivery.channel}\0{delivery.category}\0{delivery.definition_key}\0{delivery.subject}"
    tenant = delivery.tenant_id.to_bytes(_TENANT, "big")
    raw = _WRAPPED + tenant + vault_of(delivery.tenant_id).wrap(_PURPOSE, about)
    return _text(raw) if len(raw) <= _LONGEST else short_token_of(delivery)


def short_token_of(delivery: Delivery) -> str:
    """One that only names the delivery: all that links were once, and still are where an id would be too long."""
    named = delivery.tenant_id.to_bytes(_TENANT, "big") + delivery.public_id.bytes
    return _text(named + _mac(delivery.tenant_id, delivery.public_id))


def opened(token: str) -> Named:
    """What the link is about. Raises `BadLink`."""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= 2 * _LONGEST else b""
    except (NotBase64, ValueError):
        raise BadLink from None
    return _unwrapped(raw) if raw[:1] == _WRAPPED else _of_delivery(raw)


def _unwrapped(raw: bytes) -> Named:
    start = len(_WRAPPED)
    tenant_id = int.from_bytes(raw[start : start + _TENANT], "big")
    if not tenant_exists(tenant_id):  # asked first: a tenant that is not there has no key to prove anything with
        raise BadLink
    about = vault_of(tenant_id).unwrap(_PURPOSE, raw[start + _TENANT :])
    if about is None:
        raise BadLink
    channel, category, workflow, subject = about.split("\0")
    return Named(tenant_id, subject, category, workflow, channel)


def _of_delivery(raw: bytes) -> Named:
    if len(raw) != _TENANT + _ID + _MAC:
        raise BadLink
    tenant_id, public_id = int.from_bytes(raw[:_TENANT], "big"), UUID(bytes=raw[_TENANT : _TENANT + _ID])
    if not tenant_exists(tenant_id) or not hmac.compare_digest(raw[_TENANT + _ID :], _mac(tenant_id, public_id)):
        raise BadLink
    with tenant_scope(tenant_id):
        found = Delivery.objects.for_tenant(tenant_id).filter(public_id=public_id).first()
    if found is None:
        raise BadLink
    return Named(tenant_id, found.subject, found.category, found.definition_key, found.channel)


def _mac(tenant_id: int, public_id: UUID) -> bytes:
    return vault_of(tenant_id).digest(_PURPOSE, str(public_id))[:_MAC]


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")
