"""Event subscriptions: make, change, rotate, test and forget them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings

from chimeway_py.errors import Conflict, Invalid, fault
from chimeway_py.nudges import nudge_after_commit
from chimeway_py.outbound.addresses import allowed_networks
from chimeway_py.outbound.guard import url_faults
from chimeway_py.text import is_storable
from tenants.scope import tenant_scope
from tenants.signing_secrets import check_overlap, new_secret, rotated, sealed_entry
from tenants.vault import vault_of
from workflows.errors import SubscriptionDisabled, SubscriptionNotFound
from workflows.events.types import SUBSCRIBABLE, EventType
from workflows.models import DisabledReason, Event, EventAttempt, EventDispatch, EventSubscription
from workflows.models.event import SECRETS

LONGEST_DESCRIPTION = 200
MOST_SUBSCRIPTIONS = 50
_KEY = re.compile(r"[a-z0-9_]{1,64}")


class TooManySubscriptions(Conflict):
    """The tenant has as many event subscriptions as it may have."""

    code = "too_many_subscriptions"


@dataclass(frozen=True, slots=True)
class SubscriptionSecret:
    """A subscription and the secret that was just made for it: shown once. Empty when none was made."""

    subscription: EventSubscription
    secret: str


def put_subscription(
    *,
    tenant_id: int,
    key: str,
    url: str,
    types: Sequence[str] = (),
    description: str = "",
    enabled: bool = True,
) -> SubscriptionSecret:
    """The subscription of that key as asked. A new one gets its first secret; an old one keeps those it has.

    `types` empty means all. What happens from the commit on is sent. Enabling one that was disabled forgets its
    failures. Raises `Invalid` and `TooManySubscriptions`.
    """
    _check(key, url, types, description)
    with tenant_scope(tenant_id) as scope:
        secret = new_secret()
        fresh = EventSubscription(tenant_id=tenant_id, key=key, url=url, created_at=scope.now, updated_at=scope.now)
        fresh.secrets = [_entry(fresh, secret, scope.now)]
        made = EventSubscription.objects.bulk_create([fresh], ignore_conflicts=True)
        mine = locked(tenant_id, key)
        created = mine.public_id == made[0].public_id
        if created and EventSubscription.objects.filter(tenant_id=tenant_id).count() > MOST_SUBSCRIPTIONS:
            raise TooManySubscriptions(f"At most {MOST_SUBSCRIPTIONS} subscriptions.", {"most": MOST_SUBSCRIPTIONS})
        mine.url, mine.types, mine.description = url, list(dict.fromkeys(types)), description
        if enabled != mine.enabled:
            _switch(mine, enabled, scope.now)
        mine.updated_at = scope.now
        mine.save()
        return SubscriptionSecret(mine, secret if created else "")


def change_subscription(*, tenant_id: int, key: str, enabled: bool) -> EventSubscription:
    """Switch a subscription on or off; the rest stays. Raises `SubscriptionNotFound`."""
    with tenant_scope(tenant_id) as scope:
        mine = locked(tenant_id, key)
        if enabled != mine.enabled:
            _switch(mine, enabled, scope.now)
            mine.updated_at = scope.now
            mine.save()
        return mine


def rotate_subscription_secret(
    *, tenant_id: int, key: str, overlap: timedelta = timedelta(days=1)
) -> SubscriptionSecret:
    """A new secret; the others sign for `overlap` at most. Raises `SubscriptionNotFound`, `TooManySecrets`."""
    check_overlap(overlap)
    with tenant_scope(tenant_id) as scope:
        mine, secret = locked(tenant_id, key), new_secret()
        mine.secrets = rotated(mine.secrets, _entry(mine, secret, scope.now), scope.now, overlap)
        mine.updated_at = scope.now
        mine.save(update_fields=["secrets", "updated_at"])
        return SubscriptionSecret(mine, secret)


def delete_subscription(*, tenant_id: int, key: str) -> None:
    """Forget a subscription and what was owed to it; the events stay. Raises `SubscriptionNotFound`."""
    with tenant_scope(tenant_id):
        mine = locked(tenant_id, key)
        owed = EventDispatch.objects.filter(tenant_id=tenant_id, subscription_id=mine.pk)
        EventAttempt.objects.filter(tenant_id=tenant_id, dispatch__in=owed).delete()
        owed.delete()
        mine.delete()


def ping_subscription(*, tenant_id: int, key: str) -> Event:
    """Send a test event to this subscription alone. Raises `SubscriptionNotFound`, `SubscriptionDisabled`."""
    with tenant_scope(tenant_id) as scope:
        mine = locked(tenant_id, key)
        if not mine.enabled:
            raise SubscriptionDisabled
        event = Event.objects.create(
            tenant_id=tenant_id, type=EventType.PING, data={"subscription": key}, occurred_at=scope.now
        )
        EventDispatch.objects.create(
            tenant_id=tenant_id, event=event, subscription=mine, due_at=scope.now, created_at=scope.now
        )
        nudge_after_commit("events", tenant_id)
        return event


def locked(tenant_id: int, key: str) -> EventSubscription:
    """The subscription, locked, inside its tenant's scope. Raises `SubscriptionNotFound`."""
    rows = EventSubscription.objects.select_for_update(no_key=True)
    found = rows.filter(tenant_id=tenant_id, key=key).first()
    if found is None:
        raise SubscriptionNotFound(f"No such event subscription: {key!r}.")
    return found


def _switch(mine: EventSubscription, enabled: bool, now: datetime) -> None:
    """On with a clean slate, or off; what is owed waits until it is on again."""
    mine.enabled = enabled
    mine.disabled_reason, mine.disabled_at = ("", None) if enabled else (DisabledReason.ASKED, now)
    mine.failing_since, mine.failures, mine.hold_until = None, 0, None
    if enabled:
        nudge_after_commit("events", mine.tenant_id)


def _entry(mine: EventSubscription, secret: str, now: datetime) -> dict[str, object]:
    return sealed_entry(vault_of(mine.tenant_id), SECRETS, str(mine.public_id), secret, now)


def _check(key: str, url: str, types: Sequence[str], description: str) -> None:
    faults = [] if _KEY.fullmatch(key) else [fault("/key", "bad_key", "1 to 64 of the letters a-z, digits and _.")]
    faults += url_faults(url) or _scheme_faults(url)
    faults += [
        fault(f"/types/{index}", "unknown_type", f"No such event type; there are {', '.join(SUBSCRIBABLE)}.")
        for index, type_ in enumerate(types)
        if type_ not in SUBSCRIBABLE
    ]
    if not is_storable(description, LONGEST_DESCRIPTION):
        faults.append(fault("/description", "bad_text", f"At most {LONGEST_DESCRIPTION} characters, without NUL."))
    if faults:
        raise Invalid("The event subscription is not valid.", faults)


def _scheme_faults(url: str) -> list[dict[str, str]]:
    """Plain http only in debug, and to addresses inside the networks that the operator allowed."""
    parts = urlsplit(url)
    if parts.scheme == "https" or settings.DEBUG or _is_allowed_inside(str(parts.hostname)):
        return []
    return [fault("/url", "https_only", "Events go to https addresses only.")]


def _is_allowed_inside(host: str) -> bool:
    try:
        return any(ip_address(host) in network for network in allowed_networks())
    except ValueError:
        return False
