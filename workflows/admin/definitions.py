"""Definitions: versions, documents, what changed between them; drafts are written and published here, too."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from chimeway_py.errors import ChimewayError
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.looking import LookingAdmin
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import ref_of
from tenants.admin.writes import ServiceForm
from tenants.models import Role
from tenants.services.operators import Act
from workflows.admin.switches import SWITCH_ACTIONS, switch_buttons, switch_section
from workflows.admin.version_moves import MOVE_WITH_MAP, MoveRuns, move_buttons
from workflows.definitions.diff import Change, diff
from workflows.definitions.document import parse_document
from workflows.definitions.loader import load
from workflows.definitions.writer import write_yaml
from workflows.graph import draw_graph
from workflows.models import Definition, DefinitionStatus
from workflows.services.definitions import publish_definition, retire_definition, save_draft
from workflows.services.switches import switch_of

MOST_VERSIONS = 50


class DocumentForm(ServiceForm):
    """A document, as YAML or JSON."""

    document = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 34, "cols": 110, "class": "cw-code", "spellcheck": "false"}),
        help_text="YAML or JSON. Saving keeps a draft; faults are listed with their path, all at once.",
    )


class VersionAction(ReasonedAction):
    """An action on versions that a service carries out one by one."""

    role = Role.ADMIN

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Definition], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                self.change(tenant_id=tenant_id, key=row.key, version=row.version)
            except ChimewayError as error:
                yield Act("definition", ref_of(row), _why(error))
            else:
                yield Act("definition", ref_of(row))

    def change(self, *, tenant_id: int, key: str, version: int) -> Definition:
        """Call the service. Raises `ChimewayError`."""
        raise NotImplementedError


class Publish(VersionAction):
    """Freezes drafts and lets them start runs."""

    name, verb = "publish", "Publish"

    def forecast(self, row: Definition) -> str:
        if row.status == DefinitionStatus.DRAFT:
            return f"{row} starts new runs from now on and can never change. Runs under way stay on their version."
        return f"It is {row.status} already."

    def change(self, *, tenant_id: int, key: str, version: int) -> Definition:
        return publish_definition(tenant_id=tenant_id, key=key, version=version)


class Retire(VersionAction):
    """Lets versions start nothing new."""

    name, verb = "retire", "Retire"

    def forecast(self, row: Definition) -> str:
        if row.status == DefinitionStatus.PUBLISHED:
            return f"{row} starts nothing new. Its runs go on."
        return f"It is {row.status}: {'refused' if row.status == DefinitionStatus.DRAFT else 'nothing changes'}."

    def change(self, *, tenant_id: int, key: str, version: int) -> Definition:
        return retire_definition(tenant_id=tenant_id, key=key, version=version)


@admin.register(Definition)
class DefinitionAdmin(LookingAdmin):
    """One row per version. A draft may be changed; a published version never."""

    page_template = "admin/definition_page.html"
    form_class = DocumentForm
    list_display = ["key", "tenant", "version", "shown_status", "start_signal", "created_at", "published_at"]
    list_filter = [TenantFilter, "status"]
    search_fields = ["key", "=start_signal"]
    ordering = ("key", "-version")
    actions = [Publish(), Retire(), MoveRuns(), *SWITCH_ACTIONS]
    looks = [MOVE_WITH_MAP]

    @admin.display(description="Status", ordering="status")
    def shown_status(self, row: Definition) -> SafeString:
        return words.badge(row.status)

    def initial(self, row: Definition) -> dict[str, Any]:
        return {"document": write_yaml(row.document)}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Definition, str]:
        text = said["document"]
        document = load(text.encode(), "json" if text.lstrip().startswith("{") else "yaml")
        return save_draft(tenant_id=tenant_id, document=document), ""

    def page(self, request: HttpRequest, row: Definition) -> Page:
        versions = list(
            Definition.objects.for_tenant(row.tenant_id)
            .filter(key=row.key)
            .latest_first()
            .defer("document")[:MOST_VERSIONS]
        )
        against = _against(request, row, versions)
        switch = switch_of(tenant_id=row.tenant_id, key=row.key)
        return Page(
            title=f"{row.key}, version {row.version}",
            lead="A draft: it starts nothing until it is published." if row.status == DefinitionStatus.DRAFT else "",
            tone="calm",
            facts=[*_facts(row), ("Switch", words.badge(switch.level))],
            buttons=[
                *self._change_button(request, row),
                *_status_buttons(row),
                *move_buttons(row, versions),
                *switch_buttons(switch),
            ],
            sections=[
                _versions(row, versions),
                *([_changes(against, row)] if against else []),
                switch_section(row.tenant_id, row.key),
            ],
            texts=[("Document", write_yaml(row.document))],
            more={"graph": mark_safe(draw_graph(parse_document(row.document)))},  # noqa: S308  built as elements
        )

    def _change_button(self, request: HttpRequest, row: Definition) -> list[Button]:
        buttons = self.write_buttons(request, row)
        label = "Change the draft" if row.status == DefinitionStatus.DRAFT else "Change, as a new draft"
        return [Button(label, url=button.url) for button in buttons]


def _facts(row: Definition) -> list[tuple[str, Any]]:
    runs = f"{reverse('admin:workflows_run_changelist')}?workflow={row.key}"
    return [
        ("Status", words.badge(row.status)),
        ("Starts on", row.start_signal or "a call"),
        ("Created", words.moment(row.created_at)),
        ("Published", words.moment(row.published_at)),
        ("Retired", words.moment(row.retired_at)),
        ("Runs", format_html('<a href="{}">of every version</a>', runs)),
        ("Checksum", format_html("<code>{}</code>", row.checksum)),
    ]


def _status_buttons(row: Definition) -> list[Button]:
    match row.status:
        case DefinitionStatus.DRAFT:
            return [Button("Publish", action="publish")]
        case DefinitionStatus.PUBLISHED:
            return [Button("Retire", action="retire")]
    return []


def _against(request: HttpRequest, row: Definition, versions: Sequence[Definition]) -> Definition | None:
    """The version to compare with: the one asked for, else the one before."""
    asked = request.GET.get("against", "")
    if asked.isdecimal():
        return next((one for one in versions if one.version == int(asked) and one.pk != row.pk), None)
    return next((one for one in versions if one.version < row.version), None)


def _versions(row: Definition, versions: Sequence[Definition]) -> Section:
    rows = [
        [
            words.link(one, f"version {one.version}"),
            words.badge(one.status),
            words.moment(one.published_at),
            "" if one.pk == row.pk else format_html('<a href="?against={}#changes">what changed</a>', one.version),
        ]
        for one in versions
    ]
    return Section("Versions", ["Version", "Status", "Published", "Compared with this one"], rows)


def _changes(before: Definition, after: Definition) -> Section:
    rows = [
        [format_html("<code>{}</code>", one.path), one.kind, *_values(one)]
        for one in diff(before.document, after.document)
    ]
    title = f"What changed from version {before.version} to version {after.version}"
    return Section(title, ["Path", "Change", "Before", "After"], rows, "Nothing.", id="changes")


def _values(change: Change) -> list[Any]:
    return [_value(change.before), _value(change.after)]


def _value(value: Any) -> str | SafeString:
    if value is None:
        return "–"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return format_html('<code class="cw-value">{}</code>', text)


def _why(error: ChimewayError) -> str:
    faults = error.detail if isinstance(error.detail, list) else []
    return "; ".join([error.message, *(f"{one['path']}: {one['message']}" for one in faults)])
