"""Signals: what came in, from whom, and what became of it. The page's verdicts per run come from whoever routes."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from signals_app.models import Signal, SignalSource
from tenants.admin import words
from tenants.admin.concerns import GRACE
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Page, PageAdmin
from tenants.operator_scope import operator_of

BUILT_IN = ["api", "inbox"]

Attention = question_filter(
    "attention",
    "attention",
    [
        (
            "unrouted",
            "unrouted",
            lambda signals: signals.filter(routed_at__isnull=True, received_at__lt=words.now() - GRACE),
        ),
        ("failing", "routing fails", lambda signals: signals.filter(routed_at__isnull=True, route_failures__gt=0)),
    ],
)


@admin.register(Signal)
class SignalAdmin(PageAdmin):
    """Signals, to read. Their payloads are not shown."""

    list_display = ["shown_id", "tenant", "name", "subject", "source", "shown_verdict", "verdict_reason", "received"]
    list_filter = [Attention, TenantFilter, "verdict"]
    search_fields = ["public_id"]
    search_help_text = "A public id, a subject, a name, or the sender's own id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("correlation", "verdict_context")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(_meant_by(term, list(operator_of(request).roles))) if term else queryset), False

    def page(self, request: HttpRequest, row: Signal) -> Page:
        duplicates = f"{row.duplicate_count}, the last {words.ago(row.last_duplicate_at)}" if row.duplicate_count else 0
        return Page(
            title=f"{row.name} about {row.subject}" if row.subject else row.name,
            facts=[
                ("Verdict when routed", words.badge(row.verdict or "unrouted")),
                ("Source", row.source),
                ("Sender's own id", row.external_id),
                ("Correlation", words.pairs(row.correlation)),
                ("Occurred", words.moment(row.occurred_at)),
                ("Received", words.moment(row.received_at)),
                ("Routed", words.moment(row.routed_at)),
                ("Posted again", duplicates),
                ("Routing failures", row.route_failures),
                ("Public id", row.public_id),
            ],
        )

    @admin.display(description="Signal")
    def shown_id(self, row: Signal) -> str:
        return words.short(row.public_id)

    @admin.display(description="Verdict")
    def shown_verdict(self, row: Signal) -> SafeString:
        return words.badge(row.verdict or "unrouted")

    @admin.display(description="Received")
    def received(self, row: Signal) -> str:
        return words.ago(row.received_at)


def _meant_by(term: str, tenant_ids: list[int]) -> Q:
    """What a search term may mean; each by an index."""
    sources = SignalSource.objects.filter(tenant_id__in=tenant_ids).values_list("key", flat=True)
    wanted = Q(subject=term) | Q(name=term) | Q(source__in=[*BUILT_IN, *sources], external_id=term)
    try:
        return wanted | Q(public_id=UUID(term))
    except ValueError:
        return wanted
