"""Where the words of a message come from: the definition's own templates first, then the tenant's stored ones."""

from collections.abc import Iterable, Mapping
from typing import Any

from deliveries.models import Template
from workflows.models import Run
from workflows.services.documents import documents

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


def wordings_of_runs(tenant_id: int, wanted: Iterable[tuple[int, str, str]]) -> dict[tuple[int, str, str], Wording]:
    """The words of each (run id, channel, key) that has any, in a few queries. Needs the tenant's scope."""
    asked = set(wanted)
    runs = Run.objects.for_tenant(tenant_id).filter(id__in={run_id for run_id, _, _ in asked})
    versions = dict(runs.values_list("id", "definition_id"))
    loaded = documents(tenant_id, versions.values())
    declared = {one: declared_wording(loaded[versions[one[0]]].document.raw, one[2]) for one in asked}
    found = {one: wording for one, wording in declared.items() if wording is not None}
    for channel in {channel for _, channel, _ in asked - found.keys()}:
        missing = {one for one in asked - found.keys() if one[1] == channel}
        stored = stored_wordings(tenant_id, channel, {key for _, _, key in missing})
        found |= {one: stored[one[2]] for one in missing if one[2] in stored}
    return found


def find_wording(tenant_id: int, document: Mapping[str, Any], channel: str, key: str) -> Wording | None:
    """The words of one message, or None when nobody wrote them."""
    return declared_wording(document, key) or stored_wordings(tenant_id, channel, [key]).get(key)
