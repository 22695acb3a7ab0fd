"""Work owed to the outside world: what no worker has taken up, what is under way, and whose worker fell silent."""

from django.contrib import admin
from django.utils.safestring import SafeString

from tenants.admin import words
from tenants.admin.base import TenantAdmin
from tenants.admin.filters import TenantFilter, question_filter
from workflows.admin.settling import SETTLING
from workflows.models import StepRun

Attention = question_filter(
    "attention",
    "attention",
    [
        ("expired", "lease expired", lambda rows: rows.filter(status="running", due_at__lt=words.now())),
        ("owed", "owed", lambda rows: rows.filter(status="owed", due_at__isnull=False)),
        (
            "unknown",
            "unknown",
            lambda rows: rows.filter(status="unknown"),
        ),
        ("flight", "under way", lambda rows: rows.filter(status="running", due_at__isnull=False)),
    ],
)


@admin.register(StepRun)
class StepRunAdmin(TenantAdmin):
    """Step runs, to read and to settle; their attempts are on the page of their run."""

    list_display = ["shown_run", "tenant", "step", "visit", "kind", "shown_status", "outcome", "attempts_made", "due"]
    list_display_links = None
    list_filter = [Attention, TenantFilter]
    list_select_related = ("tenant", "run")
    actions = list(SETTLING)

    @admin.display(description="Run")
    def shown_run(self, row: StepRun) -> str | SafeString:
        return words.link(row.run, words.short(row.run.public_id))

    @admin.display(description="Status")
    def shown_status(self, row: StepRun) -> SafeString:
        return words.badge(row.status)

    @admin.display(description="Due, or end of the lease")
    def due(self, row: StepRun) -> str:
        return words.ago(row.due_at) or "–"
