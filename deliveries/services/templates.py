"""Storing templates. A published version never changes; the words that messages get are those published last."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import models

from chimeway_py.errors import Conflict, Invalid, NotFound, fault
from deliveries.models import Template, TemplateStatus, TemplateVersion
from deliveries.models.template import DEFAULT
from deliveries.services.template_checks import PARTS, require_words
from deliveries.services.template_users import require_known_variables
from tenants.scope import tenant_scope

MOST_VERSIONS = 1000


class NoDraft(Conflict):
    """The template has no draft; store one first."""

    code = "no_draft"


@dataclass(frozen=True, slots=True)
class Words:
    """What a version of a template says. `locales` maps a locale to the parts it has of its own."""

    subject: str = ""
    text: str = ""
    html: str = ""
    locales: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    layout: str = ""

    @property
    def wordings(self) -> dict[str, dict[str, str]]:
        """Every locale's three parts, those for everybody among them."""
        everybody = {"subject": self.subject, "text": self.text, "html": self.html}
        own = {locale: {part: parts.get(part, "") for part in PARTS} for locale, parts in self.locales.items()}
        return {**own, DEFAULT: everybody}

    @property
    def checksum(self) -> str:
        """The SHA-256 of all of it."""
        whole = json.dumps([self.wordings, self.layout], sort_keys=True)
        return hashlib.sha256(whole.encode()).hexdigest()


def put_template(
    *,
    tenant_id: int,
    key: str,
    channel: str,
    subject: str = "",
    text: str = "",
    html: str = "",
    locales: Mapping[str, Mapping[str, str]] | None = None,
    layout: str = "",
    is_layout: bool = False,
    draft: bool = False,
) -> tuple[Template, bool]:
    """The template of (key, channel) with these words as its newest version, and whether the template is new.

    The version is published at once; with `draft` it is kept for later and messages go on as before. Words that are
    there already write nothing. Messages that were planned and not yet tried get the new words. Raises `Invalid`.
    """
    words = Words(subject, text, html, locales or {}, layout)
    require_words(key, channel, words.wordings, is_layout=is_layout)
    with tenant_scope(tenant_id) as scope:
        template, created = _locked(tenant_id, key, channel, is_layout, scope.now)
        _check_place(template, words, is_layout)
        if template.current is None or template.current.checksum != words.checksum:
            _store_draft(template, words, scope.now)
            if not draft:
                _publish(template, scope.now)
        else:  # what is published is what was asked for, so nothing is left to be published
            _versions(template).filter(status=TemplateStatus.DRAFT).delete()
            if template.retired_at is not None and not draft:
                template.retired_at, template.updated_at = None, scope.now
                template.save(update_fields=["retired_at", "updated_at"])
        return template, created


def publish_template(*, tenant_id: int, key: str, channel: str) -> Template:
    """The template with its draft published and frozen. Raises `NotFound`, `NoDraft`, and `Invalid`.

    What its layout or the definitions that use it say may have changed since it was stored, so it is checked again.
    """
    with tenant_scope(tenant_id) as scope:
        found = _rows(tenant_id, key, channel).first()
        if found is None:
            raise NotFound
        template, _ = _locked(tenant_id, key, channel, found.is_layout, scope.now)
        draft = _draft(template)
        if draft is None:
            raise NoDraft
        _check_place(template, Words(layout=draft.layout), template.is_layout)
        _publish(template, scope.now)
        return template


def find_version(*, tenant_id: int, key: str, channel: str, number: int | None = None) -> TemplateVersion | None:
    """A version of a template; without a number its draft, or else the published one. None when there is none."""
    with tenant_scope(tenant_id):
        template = _rows(tenant_id, key, channel).select_related("current").first()
        if template is None:
            return None
        if number is None:
            return _draft(template) or template.current
        return _versions(template).filter(number=number).first()


def _locked(tenant_id: int, key: str, channel: str, is_layout: bool, now: datetime) -> tuple[Template, bool]:
    """The row of a template, made if there is none, locked so that its versions are numbered one by one."""
    new = Template(tenant_id=tenant_id, key=key, channel=channel, is_layout=is_layout, created_at=now, updated_at=now)
    before = _rows(tenant_id, key, channel).exists()
    if not before:
        Template.objects.bulk_create([new], ignore_conflicts=True)
    template = _rows(tenant_id, key, channel).select_for_update(no_key=True).get()
    if template.current_id:
        template.current = _versions(template).get(id=template.current_id)
    return template, not before and template.current_id is None


def _check_place(template: Template, words: Words, is_layout: bool) -> None:
    """Whether it may be what is asked, beside what is stored."""
    faults = []
    if template.is_layout != is_layout:
        what = "a layout" if template.is_layout else "a template"
        faults.append(fault("/is_layout", "conflict", f"{template} is {what} already; choose another key."))
    if words.layout and is_layout:
        faults.append(fault("/layout", "layout", "A layout is not put into another."))
    elif words.layout and not _is_published_layout(template, words.layout):
        told = f"There is no published layout {words.layout[:64]!r} for the channel {template.channel}."
        faults.append(fault("/layout", "unknown_layout", told))
    if faults:
        raise Invalid("The template is not valid.", faults)


def _is_published_layout(template: Template, key: str) -> bool:
    live = {"is_layout": True, "current__isnull": False, "retired_at__isnull": True}
    return _rows(template.tenant_id, key, template.channel).filter(**live).exists()


def _store_draft(template: Template, words: Words, now: datetime) -> None:
    said = {"wordings": words.wordings, "layout": words.layout, "checksum": words.checksum, "updated_at": now}
    versions = _versions(template)
    if versions.filter(status=TemplateStatus.DRAFT).update(**said):
        return
    last = versions.order_by("-number").values_list("number", flat=True).first() or 0
    if last >= MOST_VERSIONS:
        told = f"A template has at most {MOST_VERSIONS} versions."
        raise Invalid("The template is not valid.", [fault("", "size", told)])
    TemplateVersion.objects.create(
        tenant_id=template.tenant_id, template=template, number=last + 1, created_at=now, **said
    )


def _publish(template: Template, now: datetime) -> None:
    draft = _versions(template).get(status=TemplateStatus.DRAFT)
    require_known_variables(template, draft)
    _versions(template).filter(id=draft.pk).update(status=TemplateStatus.PUBLISHED, published_at=now)
    draft.status, draft.published_at = TemplateStatus.PUBLISHED, now
    template.current, template.updated_at, template.retired_at = draft, now, None
    template.save(update_fields=["current", "updated_at", "retired_at"])


def _draft(template: Template) -> TemplateVersion | None:
    return _versions(template).filter(status=TemplateStatus.DRAFT).first()


def _versions(template: Template) -> "models.QuerySet[TemplateVersion]":
    return TemplateVersion.objects.filter(tenant_id=template.tenant_id, template_id=template.pk)


def _rows(tenant_id: int, key: str, channel: str) -> "models.QuerySet[Template]":
    return Template.objects.filter(tenant_id=tenant_id, key=key, channel=channel)
