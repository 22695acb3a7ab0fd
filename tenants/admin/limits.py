"""Limits: set by superusers for the tenants they are a member of, and shown to every operator."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from chimeway_py.errors import Invalid, fault
from tenants.admin import words
from tenants.admin.filters import TenantFilter
from tenants.admin.pages import Page, Section
from tenants.admin.writes import ServiceForm, WritingAdmin
from tenants.limits.kinds import MOST, LimitKind
from tenants.models import Limit
from tenants.operator_scope import operator_of
from tenants.services import budgets_of, set_limit

RULES = [("amount", "this amount"), ("unlimited", "unlimited"), ("default", "what the settings say")]


class LimitValue(ServiceForm):
    """How much."""

    rule = forms.ChoiceField(choices=RULES, label="Limit to")
    amount = forms.IntegerField(required=False, min_value=0, max_value=MOST)


class LimitForm(LimitValue):
    """A new limit."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in LimitKind.values])
    field_order = ["kind", "rule", "amount"]


@admin.register(Limit)
class LimitAdmin(WritingAdmin):
    """What tenants may use. A tenant's own admins see it, and cannot raise it."""

    form_class = LimitForm
    change_class = LimitValue
    list_display = ["kind", "tenant", "shown", "changed_at", "changed_by"]
    list_filter = [TenantFilter]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser) and super().has_change_permission(request, obj)

    def initial(self, row: Limit) -> dict[str, Any]:
        rule = "default" if row.is_default else "unlimited" if row.amount is None else "amount"
        return {"rule": rule, "amount": row.amount}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Limit, str]:
        if said["rule"] == "amount" and said["amount"] is None:
            raise Invalid("The limit is not valid.", [fault("/amount", "missing", "This rule needs an amount.")])
        amount = {"default": "default", "unlimited": None}.get(said["rule"], said["amount"])
        kind = row.kind if row is not None else said["kind"]
        by = operator_of(request).username
        return set_limit(tenant_id=tenant_id, kind=kind, amount=amount, changed_by=by), ""

    def page(self, request: HttpRequest, row: Limit) -> Page:
        facts = [
            ("Tenant", row.tenant),
            ("Limit", self.shown(row)),
            ("Changed", words.moment(row.changed_at)),
            ("Changed by", row.changed_by),
        ]
        return Page(
            row.kind, facts=facts, buttons=self.write_buttons(request, row), sections=[limits_of_tenant(row.tenant_id)]
        )

    @admin.display(description="Limit")
    def shown(self, row: Limit) -> str:
        return "what the settings say" if row.is_default else "unlimited" if row.amount is None else f"{row.amount:,}"


def limits_of_tenant(tenant_id: int) -> Section:
    """Every limit that a tenant has, with what is left and who used it."""
    rows = [
        (
            str(one.kind),
            f"{one.amount:,}",
            f"{one.left:,}",
            ", ".join(f"{name}: {n:,}" for name, n in one.used_by.items()),
        )
        for one in budgets_of(tenant_id)
    ]
    return Section("Limits", ["Limit", "Amount", "Left", "Used by"], rows, empty="None: everything is unlimited.")
