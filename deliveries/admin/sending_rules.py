"""Quiet hours and caps of a tenant."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from deliveries.models import SendingRules
from deliveries.timing.storing import put_sending_rules
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Page, Section
from tenants.admin.writes import ServiceForm, WritingAdmin


class SendingRulesForm(ServiceForm):
    """Both lists, as REST takes them."""

    quiet_hours = JSONText(shape=list, required=False, initial=list, help_text='[{"from": "22:00", "to": "07:00"}]')
    caps = JSONText(
        shape=list,
        required=False,
        initial=list,
        help_text='[{"name": "mails", "channel": "email", "limit": 3, "per": "P1D", "then": "delay"}]',
    )


@admin.register(SendingRules)
class SendingRulesAdmin(WritingAdmin):
    """One row for each tenant that has rules."""

    form_class = SendingRulesForm
    list_display = ["__str__", "tenant", "updated_at"]
    list_filter = [TenantFilter]

    def initial(self, row: SendingRules) -> dict[str, Any]:
        return {"quiet_hours": row.quiet_hours, "caps": row.caps}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[SendingRules, str]:
        lists = {name: said[name] or [] for name in ("quiet_hours", "caps")}
        return put_sending_rules(tenant_id=tenant_id, **lists), ""

    def page(self, request: HttpRequest, row: SendingRules) -> Page:
        quiet = [
            [one["from"], one["to"], " ".join(one.get("weekdays") or ["every day"]), _channels(one)]
            for one in row.quiet_hours
        ]
        caps = [[one[name] for name in ("name", "channel", "limit", "per", "then")] for one in row.caps]
        sections = [
            Section("Quiet hours", ["From", "To", "Days", "Channels"], quiet, "None."),
            Section("Caps", ["Name", "Channel", "At most", "Per", "Then"], caps, "None."),
        ]
        facts = [("Changed", words.moment(row.updated_at))]
        return Page(
            f"Sending rules of {row.tenant.slug}",
            facts=facts,
            buttons=self.write_buttons(request, row),
            sections=sections,
        )


def _channels(period: dict[str, Any]) -> str:
    return " ".join(period.get("channels") or ["all"])
