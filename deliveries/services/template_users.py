"""Which definitions use a stored template, and whether their runs have what it speaks of."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import Invalid, fault
from deliveries.missing import missing_variables
from deliveries.models import Template, TemplateVersion
from deliveries.services.template_checks import place_of
from workflows.models import Definition

MOST_FAULTS = 50


def require_known_variables(template: Template, version: TemplateVersion) -> None:
    """Raise `Invalid` for variables that runs of a published definition which uses the template would not have.

    Needs the tenant's scope.
    """
    faults = []
    for key, document in _users(template):
        for locale, parts in version.wordings.items():
            found = missing_variables(document, parts)
            faults += [fault(place_of(locale, part), code, f"In {key}: {told}") for part, code, told in found]
    if faults:
        raise Invalid("Messages would miss what the template speaks of.", faults[:MOST_FAULTS])


def _users(template: Template) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(key, document) of the latest published version of each definition with a step that takes its words here."""
    named = {"steps": [{"template": template.key, "channel": template.channel}]}
    latest = Definition.objects.for_tenant(template.tenant_id).published().latest_first().distinct("key")
    candidates = Definition.objects.for_tenant(template.tenant_id).filter(
        id__in=latest.values("id"), document__contains=named, document__has_key="data_schema"
    )
    for definition in candidates:
        if template.key not in definition.document.get("templates", {}):
            yield definition.key, definition.document
