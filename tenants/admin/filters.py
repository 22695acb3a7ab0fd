"""Filters that ask real questions, and offer nothing of other tenants."""

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from tenants.models import Tenant
from tenants.operator_scope import operator_of

Choice = tuple[str, str]


class TenantFilter(admin.SimpleListFilter):
    """The tenants of the operator's memberships; left out when there is only one."""

    title = "tenant"
    parameter_name = "tenant"

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[Choice]:
        mine = list(operator_of(request).roles)
        if len(mine) < 2:
            return []
        return [
            (slug, slug) for slug in Tenant.objects.filter(id__in=mine).order_by("slug").values_list("slug", flat=True)
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        tenant_id = Tenant.objects.filter(slug=self.value()).values_list("id", flat=True).first()
        return queryset.filter(tenant_id=tenant_id or 0)


def question_filter(
    title: str, parameter: str, questions: Sequence[tuple[str, str, Callable[[Any], QuerySet[Any]]]]
) -> type[admin.SimpleListFilter]:
    """A list filter of named questions: (value in the address, label, what it keeps of a queryset)."""

    class QuestionFilter(admin.SimpleListFilter):
        def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[Choice]:
            return [(value, label) for value, label, _ in questions]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            chosen = next((keep for value, _, keep in questions if value == self.value()), None)
            return chosen(queryset) if chosen else queryset

    QuestionFilter.title, QuestionFilter.parameter_name = title, parameter
    return QuestionFilter
