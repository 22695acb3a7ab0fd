"""Where the words of a message come from: the definition's own templates first, then the tenant's stored ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from deliveries.models import Template

Wording = Mapping[str, str]
"""Sources in Liquid: {subject, text, html}, each of which may be empty."""


def declared_wording(document: Mapping[str, Any], key: str) -> Wording | None:
    """The definition's template `key`, if it declares one. A title is the subject of whatever has a subject."""
    declared = document.get("templates", {}).get(key)
    if declared is None:
        return None
    subject = declared.get("subject") or declared.get("title") or ""
    return {"subject": subject, "text": declared.get("text", ""), "html": declared.get("html", "")}


def stored_wordings(tenant_id: int, channel: str, keys: Iterable[str]) -> dict[str, Wording]:
    """The tenant's stored templates for a channel, by key, in one query. Needs the tenant's scope."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = Template.objects.filter(tenant_id=tenant_id, channel=channel, key__in=wanted)
    return {row.key: {"subject": row.subject, "text": row.text, "html": row.html} for row in rows}


def find_wording(tenant_id: int, document: Mapping[str, Any], channel: str, key: str) -> Wording | None:
    """The words of one message, or None when nobody wrote them."""
    return declared_wording(document, key) or stored_wordings(tenant_id, channel, [key]).get(key)
