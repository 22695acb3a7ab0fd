"""Signed heads of traces, to read."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from chimeway_py.admin_site import COUNTED_AT_MOST, Concern, register_concern
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Page, PageAdmin, Section
from workflows.heads.lateness import tenants_with_late_heads
from workflows.heads.leaves import unpack
from workflows.models import TraceHead

MOST_SHOWN = 50

register_concern(
    Concern(
        label="Late heads",
        hint="tenants whose traces have grown for two hours without a signed head",
        url_name="admin:workflows_tracehead_changelist",
        query="o=-1",
        tenants=lambda: tenants_with_late_heads().values_list("slug", flat=True)[: COUNTED_AT_MOST + 1],
    )
)


@admin.register(TraceHead)
class TraceHeadAdmin(PageAdmin):
    """What was signed, when, and by which key."""

    list_display = ["shown_number", "tenant", "signed", "runs", "pruned", "key"]
    list_filter = [TenantFilter]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("leaves")

    @admin.display(description="Head", ordering="number")
    def shown_number(self, row: TraceHead) -> str:
        return str(row.number)

    @admin.display(description="Signed")
    def signed(self, row: TraceHead) -> str:
        return words.ago(row.signed_at)

    def page(self, request: HttpRequest, row: TraceHead) -> Page:
        facts = [
            ("Id", row.public_id),
            ("Signed", words.moment(row.signed_at)),
            ("By the key", row.key),
            ("Digest", bytes(row.digest).hex()),
            ("Digest of the head before", bytes(row.previous).hex()),
            ("Signature", bytes(row.signature).hex()),
        ]
        leaves = unpack(bytes(row.leaves))
        told = [
            [leaf.run, "pruned" if leaf.is_pruned else "", leaf.seq, leaf.hash.hex()] for leaf in leaves[:MOST_SHOWN]
        ]
        title = f"Runs ({MOST_SHOWN} of {len(leaves)})" if len(leaves) > MOST_SHOWN else "Runs"
        return Page(
            title=f"Head {row.number}",
            facts=facts,
            sections=[Section(title, ["Run", "", "Line", "Hash"], told, "It tells of none.")],
        )
