"""Where the words of a message come from: the definition's own templates first, then the tenant's stored ones."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from chimeway_py.rendering import Rendered, render_parts
from deliveries.locales import best_locale
from deliveries.models import Template, TemplateVersion
from deliveries.models.template import DEFAULT
from workflows.models import Run
from workflows.services.documents import documents
from workflows.steps.sources import Facts

Parts = Mapping[str, str]
"""Sources in Liquid: {subject, text, html}, each of which may be empty."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What a message says, by locale. `number` is the version of a stored template; None for a declared one.

    `layout_key` names the layout that it is put into.
    """

    wordings: Mapping[str, Parts]
    number: int | None = None
    layout: "Wording | None" = None
    layout_key: str = ""

    def in_locale(self, wanted: str) -> tuple[str, Parts]:
        """The locale that is found for a wanted one (empty: the words for everybody), and its sources.

        One that was written without a subject has the subject of the locale that it gives way to.
        """
        locale = best_locale(wanted, (name for name in self.wordings if name != DEFAULT))
        parts = self.wordings[locale or DEFAULT]
        if locale and not parts["subject"].strip():
            titled = (name for name, own in self.wordings.items() if name != DEFAULT and own["subject"].strip())
            parts = {**parts, "subject": self.wordings[best_locale(locale, titled) or DEFAULT]["subject"]}
        return locale, parts

    @property
    def around(self) -> Iterator[tuple[str, str, str]]:
        """(locale, part, source) of the layout, for each part that a message of these words may be put into."""
        if self.layout is not None:
            for locale, parts in self.layout.wordings.items():
                for part in ("text", "html"):
                    if parts[part] and any(own[part] for own in self.wordings.values()):
                        yield locale, part, parts[part]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which words a step asks for. Without a version those that are published; `layout` fixes the layout's too."""

    channel: str
    key: str
    version: int | None = None
    layout: int | None = None


def compose(wording: Wording, locale: str, facts: Facts) -> tuple[str, Rendered]:
    """The locale that was found, and the message in it. Every message and every preview is made here.

    A subject is one line, whatever a value brings into it: a header cannot hold more. Raises `TemplateFault`.
    """
    found, parts = wording.in_locale(locale)
    inner = render_parts(parts, facts)
    inner = replace(inner, subject=_one_line(inner.subject))
    return found, _laid_out(wording.layout, locale, inner, facts) if wording.layout else inner


def _one_line(text: str) -> str:
    return " ".join(filter(None, (line.strip() for line in text.splitlines())))


def declared_wording(document: Mapping[str, Any], key: str) -> Wording | None:
    """The definition's template `key`, if it declares one. A title is the subject of whatever has a subject."""
    declared = document.get("templates", {}).get(key)
    if declared is None:
        return None
    subject = declared.get("subject") or declared.get("title") or ""
    parts = {"subject": subject, "text": declared.get("text", ""), "html": declared.get("html", "")}
    return Wording({DEFAULT: parts})


def stored_wordings(tenant_id: int, wanted: Iterable[Asked]) -> dict[Asked, Wording]:
    """The tenant's stored words, in two queries however many are wanted. Needs the tenant's scope."""
    asked = set(wanted)
    found = _versions(tenant_id, {(one, one.key, one.version) for one in asked})
    layouts = {(one, version.layout, one.layout) for one, version in found.items() if version.layout}
    around = _versions(tenant_id, layouts)
    return {one: _wording(version, around.get(one)) for one, version in found.items()}


def wordings_of_runs(tenant_id: int, wanted: Iterable[tuple[int, Asked]]) -> dict[tuple[int, Asked], Wording]:
    """The words of each (run id, what it asks for) that has any, in a few queries. Needs the tenant's scope."""
    asked = set(wanted)
    runs = Run.objects.for_tenant(tenant_id).filter(id__in={run_id for run_id, _ in asked})
    versions = dict(runs.values_list("id", "definition_id"))
    loaded = documents(tenant_id, versions.values())
    declared = {one: declared_wording(loaded[versions[one[0]]].document.raw, one[1].key) for one in asked}
    found = {one: wording for one, wording in declared.items() if wording is not None}
    missing = asked - found.keys()
    stored = stored_wordings(tenant_id, {one for _, one in missing})
    return found | {one: stored[one[1]] for one in missing if one[1] in stored}


def find_wording(tenant_id: int, document: Mapping[str, Any], asked: Asked) -> Wording | None:
    """The words of one message, or None when nobody wrote them."""
    return declared_wording(document, asked.key) or stored_wordings(tenant_id, [asked]).get(asked)


def _laid_out(layout: Wording, locale: str, inner: Rendered, facts: Facts) -> Rendered:
    """The message inside its layout. A part that either of them lacks stays as the message has it."""
    _, parts = layout.in_locale(locale)
    text, html = inner.text, inner.html
    if parts["text"] and text:
        text = render_parts({"text": parts["text"]}, {**facts, "content": text}).text
    if parts["html"] and html:  # every value in it is escaped already, and escaping it again would show the markup
        html = render_parts({"html": parts["html"]}, {**facts, "content": Markup(html)}).html  # noqa: S704
    return Rendered(inner.subject, text, html)


def _versions(tenant_id: int, wanted: set[tuple[Asked, str, int | None]]) -> dict[Asked, TemplateVersion]:
    """The version that is meant by each (what asks, key, version or None for the one that is published)."""
    if not wanted:
        return {}
    rows = Template.objects.filter(
        tenant_id=tenant_id, key__in={key for _, key, _ in wanted}, channel__in={one.channel for one, _, _ in wanted}
    ).select_related("current")
    templates = {(row.channel, row.key): row for row in rows}
    fixed = {number for _, _, number in wanted if number is not None}
    numbered = {}
    if fixed:
        ids = [row.pk for row in templates.values()]
        versions = TemplateVersion.objects.filter(tenant_id=tenant_id, template_id__in=ids, number__in=fixed)
        numbered = {(row.template_id, row.number): row for row in versions}
    found = {}
    for one, key, number in wanted:
        template = templates.get((one.channel, key))
        if template is not None:
            live = template.current if template.retired_at is None else None
            found[one] = live if number is None else numbered.get((template.pk, number))
    return {one: version for one, version in found.items() if version is not None}


def _wording(version: TemplateVersion, layout: TemplateVersion | None) -> Wording:
    around = Wording(layout.wordings, layout.number) if layout is not None else None
    return Wording(version.wordings, version.number, around, version.layout)
