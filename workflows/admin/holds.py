"""Legal holds, and what stays of runs that were pruned."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString

from chimeway_py.errors import ChimewayError
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, PageAdmin
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.admin.run_sections import lineage_link
from workflows.models import HoldOn, LegalHold, Tombstone
from workflows.retention.holds import place_hold, release_hold


class HoldForm(ServiceForm):
    """What is held, and why."""

    on = forms.ChoiceField(choices=HoldOn.choices)
    value = forms.CharField(
        max_length=200, strip=False, widget=WIDE, help_text="The id of a run, a subject, or the key of a definition."
    )
    reason = forms.CharField(max_length=200, widget=WIDE, help_text="For the record; nothing personal.")


class ReleaseHolds(ReasonedAction):
    """Lets holds go."""

    name, verb, role = "release", "Release", Role.ADMIN

    def forecast(self, row: LegalHold) -> str:
        if row.released_at is not None:
            return "It is released already: nothing changes."
        return f"The {row.on} {row.value} may be pruned and erased again."

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[LegalHold], reason: str) -> Iterable[Act]:
        who = operator_of(request).username
        for row in rows:
            try:
                release_hold(tenant_id=tenant_id, public_id=row.public_id, released_by=who)
            except ChimewayError as error:
                yield Act("legalhold", ref_of(row), error.message)
            else:
                yield Act("legalhold", ref_of(row))


Standing = question_filter(
    "standing",
    "standing",
    [
        ("held", "held", lambda rows: rows.filter(released_at=None)),
        ("released", "released", lambda rows: rows.exclude(released_at=None)),
    ],
)


@admin.register(LegalHold)
class LegalHoldAdmin(WritingAdmin):
    """Holds. A new one holds at once; one that is released stays on record."""

    form_class = HoldForm
    may_change = False
    list_display = ["shown_id", "tenant", "on", "value", "reason", "placed_by", "placed_at", "released_at"]
    list_filter = [Standing, TenantFilter, "on"]
    search_fields = ["=value", "=placed_by"]
    actions = [ReleaseHolds()]

    @admin.display(description="Hold")
    def shown_id(self, row: LegalHold) -> str:
        return words.short(row.public_id)

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[LegalHold, str]:
        asked = {name: said[name] for name in ("on", "value", "reason")}
        return place_hold(tenant_id=tenant_id, placed_by=operator_of(request).username, **asked), ""

    def page(self, request: HttpRequest, row: LegalHold) -> Page:
        return Page(
            title=f"Hold on the {row.on} {row.value}",
            lead="" if row.released_at is None else "It is released.",
            tone="calm",
            facts=[
                ("Reason", row.reason),
                ("Placed", words.moment(row.placed_at)),
                ("By", row.placed_by),
                ("Released", words.moment(row.released_at)),
                ("Released by", row.released_by or "–"),
                ("Public id", row.public_id),
            ],
            buttons=[Button("Release", action="release")] if row.released_at is None else [],
        )


@admin.register(Tombstone)
class TombstoneAdmin(PageAdmin):
    """What stays of each run that was pruned."""

    list_display = ["shown_id", "tenant", "workflow", "shown_state", "finished_at", "pruned_at", "pruned_by"]
    list_filter = [TenantFilter, "state"]
    search_fields = ["=run_public_id", "=definition_key", "=pruned_by"]
    search_help_text = "The public id that the run had, its workflow, or who pruned it"

    @admin.display(description="Run")
    def shown_id(self, row: Tombstone) -> str:
        return words.short(row.run_public_id)

    @admin.display(description="Workflow")
    def workflow(self, row: Tombstone) -> str:
        return f"{row.definition_key} v{row.version}"

    @admin.display(description="Ended as")
    def shown_state(self, row: Tombstone) -> SafeString:
        return words.badge(row.state)

    def page(self, request: HttpRequest, row: Tombstone) -> Page:
        origin = [("Replay of", lineage_link(row.tenant_id, row.replayed_from))] if row.replayed_from else []
        return Page(
            title=f"{row.definition_key}, pruned",
            lead=f"This run was pruned by {row.pruned_by}: {row.reason}.",
            facts=[
                ("Ended as", words.badge(row.state)),
                ("Workflow", self.workflow(row)),
                ("Created", words.moment(row.created_at)),
                ("Finished", words.moment(row.finished_at)),
                ("Pruned", words.moment(row.pruned_at)),
                *origin,
                ("Trace", f"{row.length} lines"),
                ("Last hash", format_html("<code>{}</code>", bytes(row.last_hash).hex())),
                ("Archive", row.archive or "none"),
                ("Public id", row.run_public_id),
            ],
        )
