"""Tenants, and the record of what operators did."""

import zoneinfo
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from chimeway_py.csvtext import csv_lines
from tenants.admin import words
from tenants.admin.base import TenantAdmin, told_changes
from tenants.admin.filters import TenantFilter
from tenants.admin.limits import limits_of_tenant
from tenants.admin.pages import Page
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Membership, OperatorAction, Role, Tenant
from tenants.operator_scope import operator_of
from tenants.services import create_tenant, set_role


class TenantForm(ServiceForm):
    """A new tenant."""

    slug = forms.CharField(max_length=63, help_text="Lower-case letters, digits and hyphens. It cannot be changed.")
    name = forms.CharField(max_length=200, required=False, widget=WIDE)
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(zoneinfo.available_timezones())], initial="UTC"
    )


@admin.register(Tenant)
class TenantsAdmin(WritingAdmin):
    """The tenants of the operator's memberships. Only a superuser makes new ones, and becomes their admin."""

    form_class = TenantForm
    may_change = False
    list_display = ["slug", "name", "time_zone", "created_at", "suspended_at"]
    list_select_related = ()
    search_fields = ["slug", "name"]
    ordering = ("slug",)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or self.has_add_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Tenant, str]:
        tenant = create_tenant(slug=said["slug"], name=said["name"], time_zone=said["time_zone"])
        set_role(tenant_id=tenant.pk, user_id=operator_of(request).user_id, role=Role.ADMIN)
        return tenant, ""

    def after_write(self, row: Any) -> str:
        """The list: the new tenant comes into sight with the next request."""
        return reverse("admin:tenants_tenant_changelist")

    def page(self, request: HttpRequest, row: Tenant) -> Page:
        members = Membership.objects.filter(tenant=row).count()
        facts = [
            ("Public id", row.public_id),
            ("Name", row.name),
            ("Time zone", row.time_zone),
            ("Created", words.moment(row.created_at)),
            ("Suspended", words.moment(row.suspended_at)),
            ("Operators", members),
        ]
        return Page(row.slug, facts=facts, sections=[limits_of_tenant(row.pk)])


@admin.register(OperatorAction)
class OperatorActionAdmin(TenantAdmin):
    """What operators did and why, to read."""

    list_display = [
        "acted_at",
        "tenant",
        "username",
        "address",
        "action",
        "object_kind",
        "object_ref",
        "outcome",
        "changed",
        "reason",
    ]
    list_display_links = None
    list_filter = [TenantFilter, "moved", "via", "acted_at"]
    actions = ["as_csv"]
    search_fields = ["=username", "=object_ref"]
    search_help_text = "A user name, or the public id of an object"

    @admin.display(description="Came of it")
    def outcome(self, row: OperatorAction) -> str:
        return "moved" if row.moved else f"refused: {row.refusal}"

    @admin.display(description="Before and after")
    def changed(self, row: OperatorAction) -> str:
        return "; ".join(told_changes(row)) or "–"

    @admin.action(description="Export as CSV", permissions=["view"])
    def as_csv(self, request: HttpRequest, queryset: QuerySet[OperatorAction]) -> HttpResponse:
        """The selected rows, for a spreadsheet."""
        lines = csv_lines([AUDIT_COLUMNS, *([*_cells(row)] for row in queryset.select_related("tenant"))])
        headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
        return HttpResponse("".join(lines), content_type="text/csv; charset=utf-8", headers=headers)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("user")


AUDIT_COLUMNS = ["acted_at", "tenant", "username", "address", "via", "action", "object_kind", "object_ref"]
AUDIT_COLUMNS += ["reason", "outcome", "changes"]


def _cells(row: OperatorAction) -> list[Any]:
    outcome = "moved" if row.moved else f"refused: {row.refusal}"
    told = {"acted_at": row.acted_at.isoformat(), "outcome": outcome, "changes": "; ".join(told_changes(row))}
    return [told[name] if name in told else getattr(row, name) for name in AUDIT_COLUMNS]
