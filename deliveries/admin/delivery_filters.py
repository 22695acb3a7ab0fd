"""Filters of the list of deliveries. What there is to choose is read from small tables, never from the deliveries."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from deliveries.channels.registry import channels
from deliveries.models import Category, Provider
from tenants.admin import words
from tenants.admin.filters import Choice

MOST_CHOICES = 100
LOOKED_BACK = timedelta(days=7)


class _ColumnFilter(admin.SimpleListFilter):
    """Rows whose column has the chosen value."""

    def lookups(self, request: HttpRequest, model_admin: "admin.ModelAdmin[Any]") -> list[Choice]:
        return [(value, value) for value in self.known()]

    def known(self) -> Sequence[str]:
        """The values to choose from."""
        raise NotImplementedError

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(**{str(self.parameter_name): self.value()})


class ChannelFilter(_ColumnFilter):
    """Over which channel."""

    title, parameter_name = "channel", "channel"

    def known(self) -> Sequence[str]:
        return sorted(channels())


class CategoryFilter(_ColumnFilter):
    """Of which category."""

    title, parameter_name = "category", "category"

    def known(self) -> Sequence[str]:
        return _keys(Category.objects.values_list)


class ProviderFilter(_ColumnFilter):
    """Who had it, in the last days: a provider that carries little is not looked for in all there ever was."""

    title, parameter_name = f"provider, last {LOOKED_BACK.days} days", "provider"

    def known(self) -> Sequence[str]:
        return _keys(Provider.objects.values_list)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        found = super().queryset(request, queryset)
        return found if not self.value() else found.filter(id__gte=_first_since(queryset, words.now() - LOOKED_BACK))


def _keys(values_list: Callable[..., QuerySet[Any, str]]) -> list[str]:
    return sorted(values_list("key", flat=True).order_by("key").distinct()[:MOST_CHOICES])


def _first_since(rows: QuerySet[Any], since: datetime) -> int:
    """The id of the first row since then, by the time that public ids begin with; beyond all when there is none."""
    lowest = uuid.UUID(int=int(since.timestamp() * 1000) << 80)
    first = rows.model._default_manager.filter(public_id__gte=lowest).order_by("public_id")
    found = first.values_list("id", flat=True).first()
    return int(found) if found is not None else 2**63 - 1
