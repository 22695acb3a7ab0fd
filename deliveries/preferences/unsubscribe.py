"""One-click unsubscribe (RFC 8058): the headers of a mail, and the links that they hold.

A link names a delivery and proves, under the tenant's own key, that we made it. Nothing personal is in it, and whoever
has it can do one thing: refuse more of what that mail was about, for whom it was sent to.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from chimeway_py.errors import NotFound
from deliveries.models import Category, Delivery
from deliveries.models.preference import describe
from deliveries.preferences.storing import refuse, rules_of
from signals_app.services import NewSignal, accept_signals
from tenants.scope import tenant_scope
from tenants.services import tenant_exists
from tenants.vault import vault_of

SOURCE = "preferences"
_PURPOSE, _MAC = "unsubscribe", 16
_TENANT, _ID = 8, 16


class BadLink(NotFound):
    """This link is not one of ours, or what it was about is gone."""

    code = "bad_unsubscribe_link"


@dataclass(frozen=True, slots=True)
class Link:
    """What a link refuses, and whether that was refused before."""

    tenant_id: int
    subject: str
    category: str
    workflow: str
    channel: str
    name: str
    is_refused: bool

    @property
    def about(self) -> str:
        """For people: the category by its name, else the workflow by its key."""
        return self.name or self.category or self.workflow


def unsubscribe_headers(delivery: Delivery, *, is_required: bool) -> Mapping[str, str]:
    """The headers of a mail whose recipient may refuse more of its kind. None without a public address of ours."""
    if is_required or not settings.PUBLIC_URL:
        return {}
    address = settings.PUBLIC_URL.rstrip("/") + reverse("unsubscribe", args=[token_of(delivery)])
    return {"List-Unsubscribe": f"<{address}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def token_of(delivery: Delivery) -> str:
    """The last part of the link of a delivery: always the same."""
    named = delivery.tenant_id.to_bytes(_TENANT, "big") + delivery.public_id.bytes
    return urlsafe_b64encode(named + _mac(delivery.tenant_id, delivery.public_id)).decode().rstrip("=")


def follow(token: str) -> Link:
    """What the link is about; nothing is written. Raises `BadLink`."""
    tenant_id, public_id = _opened(token)
    with tenant_scope(tenant_id):
        delivery = Delivery.objects.for_tenant(tenant_id).filter(public_id=public_id).first()
        if delivery is None:
            raise BadLink
        category = Category.objects.filter(tenant_id=tenant_id, key=delivery.category).first()
        refused = {
            "category": delivery.category,
            "workflow": "" if delivery.category else delivery.definition_key,
            "channel": delivery.channel,
        }
        said = rules_of(tenant_id, delivery.subject).filter(**refused, allowed=False, when__isnull=True)
        name = category.name if category is not None else ""
        return Link(tenant_id, delivery.subject, **refused, name=name, is_refused=said.exists())


def unsubscribe(token: str) -> Link:
    """Refuse what the link is about, by the recipient's own word; again, nothing happens. Raises `BadLink`.

    The first time `recipient.unsubscribed` is accepted in the same transaction. Of two clicks at once one waits for the
    other at the row of the delivery, and finds it done.
    """
    tenant_id, public_id = _opened(token)
    with tenant_scope(tenant_id) as scope:
        list(Delivery.objects.for_tenant(tenant_id).filter(public_id=public_id).locked())
        link = follow(token)
        about = {name: getattr(link, name) for name in ("category", "workflow", "channel")}
        if refuse(tenant_id=tenant_id, subject=link.subject, **about, said_by="unsubscribe"):
            signal = NewSignal(
                name="recipient.unsubscribed",
                subject=link.subject,
                correlation={name: value for name, value in about.items() if value},
                external_id=f"{public_id}:{scope.now.isoformat()}",
                source=SOURCE,
                occurred_at=scope.now,
            )
            accept_signals(tenant_id=tenant_id, signals=[signal], counted=False)
        return follow(token)


def in_words(link: Link) -> str:
    """What was refused, as rules say it."""
    return describe(link.category, link.workflow, link.channel)


def _opened(token: str) -> tuple[int, UUID]:
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) < 100 else b""
    except (NotBase64, ValueError):
        raise BadLink from None
    if len(raw) != _TENANT + _ID + _MAC:
        raise BadLink
    tenant_id, public_id = int.from_bytes(raw[:_TENANT], "big"), UUID(bytes=raw[_TENANT : _TENANT + _ID])
    # asked first, because a tenant that is not there has no key to prove anything with
    if not tenant_exists(tenant_id) or not hmac.compare_digest(raw[_TENANT + _ID :], _mac(tenant_id, public_id)):
        raise BadLink
    return tenant_id, public_id


def _mac(tenant_id: int, public_id: UUID) -> bytes:
    return vault_of(tenant_id).digest(_PURPOSE, str(public_id))[:_MAC]
