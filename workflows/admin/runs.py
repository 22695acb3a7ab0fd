"""Runs: a list that answers an operator's questions, and the page of one run."""

from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from tenants.admin import words
from tenants.admin.concerns import GRACE
from tenants.admin.filters import Choice, TenantFilter, question_filter
from tenants.admin.pages import Page
from tenants.operator_scope import operator_of
from workflows.admin.actions import REPLAYS, RUN_ACTIONS
from workflows.admin.run_page import run_page
from workflows.admin.run_views import RunPagesAdmin
from workflows.admin.search import search_runs, signal_names
from workflows.admin.settling import SETTLING
from workflows.models import Definition, Run
from workflows.store.reasons import is_address

DAY = timedelta(days=1)


def _midnight() -> datetime:
    return words.now().replace(hour=0, minute=0, second=0, microsecond=0)


Attention = question_filter(
    "attention",
    "attention",
    [
        ("stuck", "stuck", lambda runs: runs.stuck(words.now())),
        ("timers", "overdue timers", lambda runs: runs.overdue_timers(words.now() - GRACE)),
        ("overdue", "overdue runs", lambda runs: runs.overdue(words.now() - GRACE).exclude(state="waiting")),
        ("engine", "the engine fails", lambda runs: runs.engine_fails()),
        ("unknown", "unknown outcome", lambda runs: runs.with_unknown_outcome()),
        ("failed", "failed today", lambda runs: runs.failed_since(_midnight())),
        ("quarantined", "quarantined in 24 h", lambda runs: runs.quarantined_since(words.now() - DAY)),
    ],
)


class WorkflowFilter(admin.SimpleListFilter):
    """The keys of the tenants' definitions."""

    title = "workflow"
    parameter_name = "workflow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Choice]:
        found = Definition.objects.filter(tenant_id__in=list(operator_of(request).roles))
        return [(key, key) for key in found.order_by("key").values_list("key", flat=True).distinct()[:100]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(definition_key=self.value()) if self.value() else queryset


class WaitingOnFilter(admin.SimpleListFilter):
    """The signals that any wait listens for."""

    title = "waiting on"
    parameter_name = "waiting_on"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Choice]:
        return [(name, name) for name in signal_names(list(operator_of(request).roles))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.waiting_on(self.value()) if self.value() else queryset  # type: ignore[attr-defined]


class BroadcastFilter(admin.SimpleListFilter):
    """The runs of one broadcast; its page leads here."""

    title = "broadcast"
    parameter_name = "broadcast"

    def has_output(self) -> bool:
        """Nothing to choose from here: it is chosen by the link."""
        return self.value() is not None

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[Choice]:
        chosen = request.GET.get(self.parameter_name, "")
        return [(chosen, f"…{chosen[-6:]}")] if chosen else [("", "")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.of_broadcast(self.value()) if self.value() else queryset  # type: ignore[attr-defined]


@admin.register(Run)
class RunAdmin(RunPagesAdmin):
    """Runs, to read; what may be done to them is an action with a reason."""

    page_template = "admin/run_page.html"
    change_list_template = "admin/run_list.html"
    list_display = ["shown_id", "tenant", "workflow", "subject", "shown_state", "step", "reason", "due", "age"]
    list_filter = [Attention, TenantFilter, WorkflowFilter, "state", WaitingOnFilter, BroadcastFilter]
    search_fields = ["public_id"]
    search_help_text = (
        "A public id, a subject, or a correlation value (INV-7 or invoice_id=INV-7) that the run listens with"
    )
    actions = [*RUN_ACTIONS, *REPLAYS, *SETTLING]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("correlation", "visits", "status_context")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (search_runs(queryset, term, list(operator_of(request).roles)) if term else queryset), False

    def page(self, request: HttpRequest, row: Run) -> Page:
        page = run_page(row)
        page.buttons += self.history_buttons(request, row)
        return page

    @admin.display(description="Run")
    def shown_id(self, row: Run) -> str:
        return words.short(row.public_id)

    @admin.display(description="Workflow", ordering="definition_key")
    def workflow(self, row: Run) -> str:
        return row.definition_key

    @admin.display(description="State", ordering="state")
    def shown_state(self, row: Run) -> SafeString:
        return words.badge(row.state)

    @admin.display(description="Reason")
    def reason(self, row: Run) -> str:
        said = "" if is_address(row.terminal_reason) else row.terminal_reason
        return (said or row.status_reason).replace("_", " ")

    @admin.display(description="Due")
    def due(self, row: Run) -> str:
        return words.ago(row.due_at)

    @admin.display(description="Age")
    def age(self, row: Run) -> str:
        return words.length(words.now() - row.created_at)
