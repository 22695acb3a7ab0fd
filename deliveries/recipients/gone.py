"""Browsers that are no more: a push service said so, and they are taken from the addresses of their recipient."""

import json
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from deliveries.models import Recipient
from deliveries.recipients.forms import digests_for
from deliveries.recipients.upsert import store_recipients
from tenants.vault import CannotOpen


def forget_browsers(tenant_id: int, external_id: str, gone: AbstractSet[str], now: datetime) -> None:
    """Let the recipient have the other browsers only, named by digests. Needs the tenant's scope.

    The last one stays: a message to it has bounced, which says more to whoever looks than no address at all. One that
    the recipient was given meanwhile has another digest, and stays as well.
    """
    row = Recipient.objects.filter(tenant_id=tenant_id, external_id=external_id).select_for_update(no_key=True).first()
    try:
        known = _listed(row.person["addresses"].get("push")) if row is not None else []
    except CannotOpen:  # its key is away, and the browser can be forgotten the next time
        return
    kept = [one for one in known if not gone & set(digests_for(tenant_id, json.dumps(one)))]
    if 0 < len(kept) < len(known):
        store_recipients(tenant_id, {external_id: {"addresses": {"push": kept}}}, now)


def _listed(said: Any) -> list[Any]:
    """The browsers in what is on file: a list of them, or the same as text."""
    found = json.loads(said) if isinstance(said, str) else said
    return found if isinstance(found, list) else []
