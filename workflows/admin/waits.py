"""The waiting list: every open wait, what it listens for, and until when."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tenants.admin import words
from tenants.admin.base import TenantAdmin
from tenants.admin.concerns import GRACE
from tenants.admin.filters import Choice, TenantFilter, question_filter
from tenants.operator_scope import operator_of
from workflows.admin.search import signal_names
from workflows.models import Run, Wait

When = question_filter(
    "when",
    "when",
    [
        ("overdue", "overdue", lambda waits: waits.filter(run__in=Run.objects.overdue_timers(words.now() - GRACE))),
        ("timed", "with a time", lambda waits: waits.filter(due_at__isnull=False)),
        ("endless", "until a signal comes", lambda waits: waits.filter(due_at__isnull=True)),
    ],
)


class SignalFilter(admin.SimpleListFilter):
    """The signals that waits listen for."""

    title = "signal"
    parameter_name = "signal"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Choice]:
        return [(name, name) for name in signal_names(list(operator_of(request).roles))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(signals__contains=[{"name": self.value()}]) if self.value() else queryset


@admin.register(Wait)
class WaitAdmin(TenantAdmin):
    """Open waits only; those that ended are on the page of their run."""

    list_display = ["shown_run", "tenant", "workflow", "subject", "step", "listens", "opened", "due"]
    list_display_links = None
    list_filter = [When, TenantFilter, SignalFilter]
    list_select_related = ("tenant", "run")
    search_fields = ["run"]
    search_help_text = "A subject"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(closed_at__isnull=True)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        runs = Run.objects.filter(tenant_id__in=list(operator_of(request).roles), subject=term)
        return (queryset.filter(run__in=runs) if term else queryset), False

    @admin.display(description="Run")
    def shown_run(self, row: Wait) -> str | SafeString:
        return words.link(row.run, words.short(row.run.public_id))

    @admin.display(description="Workflow")
    def workflow(self, row: Wait) -> str:
        return row.run.definition_key

    @admin.display(description="Subject")
    def subject(self, row: Wait) -> str:
        return row.run.subject

    @admin.display(description="Listens for")
    def listens(self, row: Wait) -> str:
        return ", ".join(rule["name"] for rule in row.signals) or "its time alone"

    @admin.display(description="Opened")
    def opened(self, row: Wait) -> str:
        return words.ago(row.opened_at)

    @admin.display(description="Due", ordering="due_at")
    def due(self, row: Wait) -> str:
        return words.ago(row.due_at) or "–"
