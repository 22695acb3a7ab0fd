"""Which definitions use a stored template or layout, and whether their runs have what it speaks of."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db import models

from chimeway_py.errors import Invalid, fault
from deliveries.missing import missing_variables
from deliveries.models import Template, TemplateVersion
from deliveries.services.template_checks import place_of
from deliveries.wording import Wording
from workflows.models import Definition

MOST_FAULTS = 50

Fault = dict[str, str]


def require_known_variables(template: Template, version: TemplateVersion) -> None:
    """Raise `Invalid` for variables that runs of a published definition which uses the template would not have.

    Those of the layout that it is put into count too; of a layout, those that any template inside it is used by.
    Needs the tenant's scope.
    """
    faults = list(_of_layout(template, version) if template.is_layout else _of_template(template, version))
    if faults:
        raise Invalid("Messages would miss what the template speaks of.", faults[:MOST_FAULTS])


def _of_template(template: Template, version: TemplateVersion) -> Iterator[Fault]:
    layout = _inside(template).filter(key=version.layout, is_layout=True).first() if version.layout else None
    words = Wording(version.wordings, layout=_as_wording(layout))
    for key, document in _users(template):
        for locale, parts in version.wordings.items():
            for part, code, told in missing_variables(document, parts):
                yield fault(place_of(locale, part), code, f"In {key}: {told}")
        for where, code, told in _around(document, words):
            yield fault("/layout", code, f"In {key}, in {where} of the layout {version.layout}: {told}")


def _of_layout(layout: Template, version: TemplateVersion) -> Iterator[Fault]:
    for template in _inside(layout).filter(current__layout=layout.key):
        assert template.current is not None
        words = Wording(template.current.wordings, layout=Wording(version.wordings))
        for key, document in _users(template):
            for where, code, told in _around(document, words):
                named = f"In {key}, whose template {template.key} is put into the layout {layout.key}"
                yield fault(f"/{where}", code, f"{named}: {told}")


def _around(document: Mapping[str, Any], words: Wording) -> Iterator[tuple[str, str, str]]:
    """(place, code, message) for what the layout of these words would miss."""
    for locale, part, source in words.around:
        for _, code, told in missing_variables(document, {part: source}):
            yield place_of(locale, part).lstrip("/"), code, told


def _as_wording(layout: Template | None) -> Wording | None:
    return Wording(layout.current.wordings) if layout is not None and layout.current is not None else None


def _inside(template: Template) -> "models.QuerySet[Template]":
    """The templates on its channel that messages get their words from."""
    mine = Template.objects.filter(tenant_id=template.tenant_id, channel=template.channel, retired_at__isnull=True)
    return mine.exclude(id=template.pk).select_related("current")


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
