"""Webhook sources: who may post, how they sign, where in their body a signal lies. Secrets are shown once."""

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from signals_app.models import Scheme, SignalSource
from signals_app.services.sources import change_source, create_source, delete_source, live_secrets, rotate_secret
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Button, Page
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Role
from tenants.services.operators import Act

MAPPING = {"name": "type", "subject": "data.customer_id", "correlation": {}, "external_id": "id"}


class ChangeForm(ServiceForm):
    """What of a source may change."""

    name = forms.CharField(max_length=100, required=False, widget=WIDE)
    mapping = JSONText(initial=MAPPING, help_text="Paths into the sender's body, header:<name>, or {const: text}.")
    name_map = JSONText(
        initial=dict, required=False, help_text="The sender's names of signals, and ours: {theirs: ours}."
    )
    enabled = forms.BooleanField(required=False, initial=True)


class SourceForm(ChangeForm):
    """A new source."""

    key = forms.CharField(max_length=50, help_text="Lower-case letters, digits, - and _. It cannot be changed.")
    scheme = forms.ChoiceField(choices=Scheme.choices)
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="The secret that the sender gave you; empty makes a fresh one.",
    )
    field_order = ["key", "name", "scheme", "secret", "mapping", "name_map", "enabled"]


class DeleteSources(ReasonedAction):
    """Forgets sources and their secrets."""

    name, verb, role = "delete", "Delete", Role.ADMIN

    def forecast(self, row: SignalSource) -> str:
        return "Its sender gets 404 from the next post on. Its signals stay. This cannot be undone."

    def carry_out(
        self, request: HttpRequest, tenant_id: int, rows: Sequence[SignalSource], reason: str
    ) -> Iterable[Act]:
        for row in rows:
            delete_source(tenant_id=tenant_id, public_id=row.public_id)
            yield Act("signalsource", ref_of(row))


@admin.register(SignalSource)
class SourceAdmin(WritingAdmin):
    """Sources. What was refused is told by the part of the signature that failed, never by value."""

    form_class = SourceForm
    change_class = ChangeForm
    rotates = True
    list_display = ["key", "tenant", "name", "scheme", "enabled", "rejected_count", "last_rejected_part", "rejected"]
    list_filter = [TenantFilter, "scheme", "enabled"]
    search_fields = ["=key", "name"]
    actions = [DeleteSources()]

    @admin.display(description="Last rejected")
    def rejected(self, row: SignalSource) -> str:
        return words.ago(row.last_rejected_at) or "never"

    def initial(self, row: SignalSource) -> dict[str, Any]:
        return {"name": row.name, "mapping": row.mapping, "name_map": row.name_map, "enabled": row.enabled}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[SignalSource, str]:
        said = {**said, "name_map": said["name_map"] or {}}
        if row is not None:
            return change_source(tenant_id=tenant_id, public_id=row.public_id, changes=said), ""
        given = {name: said[name] for name in ("key", "name", "scheme", "secret", "mapping", "name_map")}
        issued = create_source(tenant_id=tenant_id, **given)
        return issued.row, "" if said["secret"] else issued.secret

    def rotate(self, row: SignalSource, overlap: timedelta) -> tuple[SignalSource, str]:
        issued = rotate_secret(tenant_id=row.tenant_id, public_id=row.public_id, overlap=overlap)
        return issued.row, issued.secret

    def page(self, request: HttpRequest, row: SignalSource) -> Page:
        rejected = f"{row.last_rejected_part}: {row.last_rejected_reason}" if row.last_rejected_at else "–"
        return Page(
            title=row.name or row.key,
            lead="" if row.enabled else "Disabled: its sender is refused.",
            tone="bad",
            facts=[
                ("Address", f"/hooks/{row.public_id}"),
                ("Key", row.key),
                ("Scheme", row.get_scheme_display()),
                ("Live secrets", len(live_secrets(row, words.now()))),
                ("Rejected posts", row.rejected_count),
                ("Last rejected", words.moment(row.last_rejected_at)),
                ("Part that failed", rejected),
                ("Changed", words.moment(row.updated_at)),
            ],
            buttons=[*self.write_buttons(request, row), Button("Delete", action="delete")],
            texts=[
                ("Mapping", json.dumps(row.mapping, indent=2, ensure_ascii=False)),
                ("Names", json.dumps(row.name_map, indent=2, ensure_ascii=False)),
            ],
        )
