"""REST: what we sent to somebody, or withheld, and why."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import CursorPages
from deliveries.api.delivery_filters import FILTER_PARAMETERS, FILTERS, wanted
from deliveries.api.serializers import DeliverySerializer
from deliveries.models import Delivery
from deliveries.recipients.why import why
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

OF_HISTORY = tuple(name for name in FILTERS if name != "subject")


class HistoryItemSerializer(DeliverySerializer):
    """One message to a recipient, sent or not."""

    why = serializers.SerializerMethodField(help_text="What became of it and why, for people.")
    inbox_item = serializers.SerializerMethodField(help_text="The item in the inbox; null on other channels.")
    resends = serializers.SerializerMethodField(help_text="Deliveries that sent it again.")
    stands_for = serializers.SerializerMethodField(help_text="Deliveries that were joined to it.")

    class Meta(DeliverySerializer.Meta):
        fields = [*DeliverySerializer.Meta.fields, "why", "inbox_item", "resends", "stands_for"]

    def get_why(self, row: Delivery) -> str:
        """A sentence."""
        return why(row, self.context["now"])

    def get_inbox_item(self, row: Delivery) -> str | None:
        """Its id."""
        return next((str(item.public_id) for item in row.inbox_items.all()), None)

    def get_resends(self, row: Delivery) -> list[str]:
        """Their ids."""
        return [str(one.public_id) for one in row.resends.all()]

    def get_stands_for(self, row: Delivery) -> list[str]:
        """Their ids."""
        return [str(public_id) for public_id in self.context["joined"].get(row.public_id, ())]


HISTORY_PAGE = page_of(HistoryItemSerializer)


def with_links(tenant_id: int, rows: Iterable[Delivery], now: datetime) -> list[Any]:
    """Deliveries as a support desk sees them, with every id that they lead to."""
    found = list(rows)
    joined: dict[UUID | None, list[UUID]] = {}
    others = Delivery.objects.for_tenant(tenant_id).filter(coalesced_into__in=[row.public_id for row in found])
    for into, public_id in others.order_by("id").values_list("coalesced_into", "public_id"):
        joined.setdefault(into, []).append(public_id)
    context = {"now": now, "joined": joined}
    return list(HistoryItemSerializer(found, many=True, context=context).data)


class HistoryView(TenantView):
    """Messages to a recipient, newest first."""

    scopes = {"GET": Scope.DELIVERIES_READ}
    filters = OF_HISTORY

    @extend_schema(
        operation_id="recipient_history",
        summary="What was sent to a recipient or withheld, and why",
        parameters=[one for one in FILTER_PARAMETERS if one.name != "subject"] + PAGE_PARAMETERS,
        responses=answers(HISTORY_PAGE, 400),
        tags=["Recipients"],
    )
    def get(self, request: Request, external_id: str) -> Response:
        """A page of it. Somebody who never got anything has an empty history."""
        return history_page(self, history_of(self.tenant_id, external_id, request.query_params.dict()))


def history_of(tenant_id: int, external_id: str, query: dict[str, str]) -> QuerySet[Delivery]:
    """The deliveries to a recipient that meet every filter."""
    return with_all(Delivery.objects.for_tenant(tenant_id).filter(Q(subject=external_id), wanted(query)))


def with_all(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Deliveries with what is shown of other rows."""
    return rows.select_related("run", "resend_of", "step_run").prefetch_related("inbox_items", "resends")


def history_page(view: TenantView, rows: QuerySet[Delivery]) -> Response:
    """The page that the request asks for, with every id that its messages lead to. Raises `Invalid`."""
    pages = CursorPages()
    page = pages.paginate_queryset(rows, view.request, view)
    return pages.get_paginated_response(with_links(view.tenant_id, page, view.now))
