"""Finding runs by what a person has at hand: a public id, a subject, a correlation value. Each is found by an index."""

from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from workflows.definitions.document import correlation_names
from workflows.models import Definition, Listener

MOST_NAMES = 200
MOST_FOUND = 1000


def search_runs(rows: QuerySet[Any], term: str, tenant_ids: list[int]) -> QuerySet[Any]:
    """The runs with this public id or subject, or that listen with this correlation value: `7`, or `invoice_id=7`."""
    wanted = Q(subject=term)
    try:
        wanted |= Q(public_id=UUID(term))
    except ValueError:
        wanted |= Q(id__in=_listening(term, tenant_ids))
    return rows.filter(wanted)


def signal_names(tenant_ids: list[int]) -> list[str]:
    """The names of the signals that any wait of these tenants' definitions listens for, in order."""
    return sorted(_declared(tenant_ids)[0])[:MOST_NAMES]


def _listening(term: str, tenant_ids: list[int]) -> list[int]:
    names, attributes = _declared(tenant_ids)
    keys = [term] if "=" in term else [f"{attribute}={term}" for attribute in sorted(attributes)[:MOST_NAMES]]
    found = Listener.objects.filter(tenant_id__in=tenant_ids, name__in=sorted(names)[:MOST_NAMES], key__in=keys)
    return list(found.order_by().values_list("run_id", flat=True).distinct()[:MOST_FOUND])


def _declared(tenant_ids: list[int]) -> tuple[set[str], set[str]]:
    """Signal names and correlation names of every version that is not a draft."""
    versions = Definition.objects.filter(tenant_id__in=tenant_ids).exclude(status="draft")
    names: set[str] = set()
    attributes: set[str] = set()
    for raw in versions.order_by("-id").values_list("document", flat=True)[:MOST_NAMES]:
        attributes |= correlation_names(raw)
        names |= {rule["name"] for step in raw["steps"] for rule in step.get("signals", ())}
    return names, attributes
