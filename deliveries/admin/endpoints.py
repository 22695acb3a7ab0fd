"""Endpoints: where webhooks go."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from deliveries.models import Endpoint
from deliveries.services.endpoints import put_endpoint, rotate_secret
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Page
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from workflows.admin.receivers import ReceiverHealth, watch_receivers
from workflows.models import DisabledReason


class EndpointAddress(ServiceForm):
    """Where an endpoint is."""

    url = forms.CharField(max_length=2000, widget=WIDE, help_text="http or https, on the public internet.")
    enabled = forms.BooleanField(required=False, initial=True)


class EndpointForm(EndpointAddress):
    """A new endpoint."""

    key = forms.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    field_order = ["key", "url", "enabled"]


@admin.register(Endpoint)
class EndpointAdmin(WritingAdmin):
    """Receivers of webhooks. Their secrets are shown once, when they are made."""

    form_class = EndpointForm
    change_class = EndpointAddress
    rotates = True
    list_display = ["key", "tenant", "url", "enabled", "disabled_reason", "failing", "updated_at"]
    list_filter = [TenantFilter, ReceiverHealth, "enabled"]
    search_fields = ["key"]

    def initial(self, row: Endpoint) -> dict[str, Any]:
        return {"url": row.url, "enabled": row.enabled}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Endpoint, str]:
        key = row.key if row is not None else said["key"]
        put = put_endpoint(tenant_id=tenant_id, key=key, url=said["url"], enabled=said["enabled"])
        return put.endpoint, put.secret

    def rotate(self, row: Endpoint, overlap: timedelta) -> tuple[Endpoint, str]:
        put = rotate_secret(tenant_id=row.tenant_id, key=row.key, overlap=overlap)
        return put.endpoint, put.secret

    @admin.display(description="failing for")
    def failing(self, row: Endpoint) -> str:
        """Since when every try has failed."""
        return words.ago(row.failing_since) or "–"

    def page(self, request: HttpRequest, row: Endpoint) -> Page:
        facts = [
            ("Address", row.url),
            ("Enabled", "yes" if row.enabled else f"no, since {words.moment(row.disabled_at)}"),
            ("Failing since", words.moment(row.failing_since)),
            ("Live secrets", len(row.live_secrets(words.now()))),
            ("Created", words.moment(row.created_at)),
            ("Changed", words.moment(row.updated_at)),
        ]
        return Page(
            row.key,
            lead="" if row.enabled else f"Nothing is sent there: {row.get_disabled_reason_display()}.",
            tone="calm" if row.disabled_reason == DisabledReason.ASKED else "",
            facts=facts,
            buttons=self.write_buttons(request, row),
        )


watch_receivers(
    Endpoint, label="Disabled endpoints", hint="receivers of webhooks that were gone or failed for five days"
)
