"""Inbox items: whose, from which run, and whether they were seen. What they say is not shown."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from deliveries.models import InboxItem
from tenants.admin import words
from tenants.admin.base import TenantAdmin
from tenants.admin.filters import TenantFilter, question_filter

State = question_filter(
    "state",
    "state",
    [
        ("unread", "unread", lambda items: items.unread()),
        ("archived", "archived", lambda items: items.filter(archived_at__isnull=False)),
    ],
)


@admin.register(InboxItem)
class InboxItemAdmin(TenantAdmin):
    """Items, to read; without title and body."""

    list_display = [
        *("shown_id", "tenant", "subject", "run", "shown_delivery", "step_key"),
        *("created", "seen_at", "read_at", "archived_at"),
    ]
    list_select_related = ["tenant", "delivery"]
    list_display_links = None
    list_filter = [State, TenantFilter]
    search_fields = ["=subject"]
    search_help_text = "A subject"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("sealed")

    @admin.display(description="Item")
    def shown_id(self, row: InboxItem) -> str:
        return words.short(row.public_id)

    @admin.display(description="Run")
    def run(self, row: InboxItem) -> SafeString:
        url = reverse("admin:workflows_run_change", args=[row.run_public_id])
        return format_html('<a href="{}">{}</a>', url, words.short(row.run_public_id))

    @admin.display(description="Delivery")
    def shown_delivery(self, row: InboxItem) -> str:
        return words.link(row.delivery, words.short(row.delivery.public_id))

    @admin.display(description="Created")
    def created(self, row: InboxItem) -> str:
        return words.ago(row.created_at)
