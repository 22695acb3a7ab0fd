"""REST: what we sent to somebody, or withheld, and why."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.merging import merged_page
from chimeway_py.api.openapi import PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import CursorPages, check_query
from deliveries.api.delivery_filters import FILTER_PARAMETERS, FILTERS, wanted, wanted_steps
from deliveries.api.serializers import DeliverySerializer
from deliveries.models import Delivery
from deliveries.recipients.history import in_order_of_time
from deliveries.recipients.why import why
from deliveries.states import Layer
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.models import StepRun
from workflows.withheld.reading import Withheld, described, withheld_from

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


def with_links(
    tenant_id: int,
    rows: Iterable[Delivery],
    now: datetime,
    shape: type[HistoryItemSerializer] = HistoryItemSerializer,
) -> list[Any]:
    """Deliveries as a support desk sees them, with every id that they lead to."""
    found = list(rows)
    joined: dict[UUID | None, list[UUID]] = {}
    others = Delivery.objects.for_tenant(tenant_id).filter(coalesced_into__in=[row.public_id for row in found])
    for into, public_id in others.order_by("id").values_list("coalesced_into", "public_id"):
        joined.setdefault(into, []).append(public_id)
    context = {"now": now, "joined": joined}
    return list(shape(found, many=True, context=context).data)


class DigestPlaceSerializer(serializers.Serializer[Any]):
    """An item of a digest."""

    id = serializers.UUIDField(help_text="The digest.")
    position = serializers.IntegerField(help_text="Of the item in it.")


class HistoryEntrySerializer(HistoryItemSerializer):
    """A message; or a visit of a throttle or a digest that left the recipient without one, or lets them wait.

    A visit has what messages have as far as it has it: no `id`, no channel, nothing that was sent.
    """

    kind = serializers.SerializerMethodField(help_text="message, throttle or digest.")
    id = serializers.UUIDField(source="public_id", allow_null=True, help_text="Of the message; null for a visit.")
    digest = serializers.SerializerMethodField(help_text="The item that was taken out; else null.")

    class Meta(HistoryItemSerializer.Meta):
        fields = ["kind", *HistoryItemSerializer.Meta.fields, "digest"]

    def get_kind(self, row: Delivery) -> str:
        """What it is."""
        return "message"

    @extend_schema_field(DigestPlaceSerializer(allow_null=True))
    def get_digest(self, row: Delivery) -> None:
        """A message is no item."""


_TEXTS = (
    "channel", "template", "locale", "category", "recipient", "held_by", "provider", "provider_ref", "resend_reason",
)  # fmt: skip
_NOTHING: Mapping[str, Any] = {
    **dict.fromkeys(HistoryEntrySerializer.Meta.fields),
    **dict.fromkeys(_TEXTS, ""),
    "resends": [],
    "stands_for": [],
}


def of_visit(one: Withheld, subject: str) -> dict[str, Any]:
    """A visit that withheld something, in the shape of the messages beside it."""
    is_throttle = one.kind == "throttle"
    digest = {"id": str(one.digest.public_id), "position": one.position} if one.digest is not None else None
    return {
        **_NOTHING,
        "kind": one.kind,
        "run_id": str(one.row.run.public_id),
        "workflow": one.row.run.definition_key,
        "step": one.row.step,
        "visit": one.row.visit,
        "subject": subject,
        "status": one.status,
        "error": one.error,
        "decided_by": str(Layer.STEP) if is_throttle else "",
        "decided_rule": one.rule,
        "held_by": "throttle" if one.until is not None else "",
        "held_until": _instant(one.until),
        "planned_at": _instant(one.at),
        "settled_at": _instant(one.row.finished_at),
        "why": one.why,
        "digest": digest,
    }


def _instant(at: datetime | None) -> Any:
    return serializers.DateTimeField().to_representation(at) if at is not None else None


class HistoryView(TenantView):
    """What was sent to a recipient or withheld, newest first."""

    scopes = {"GET": Scope.DELIVERIES_READ}
    filters = OF_HISTORY

    @extend_schema(
        operation_id="recipient_history",
        summary="What was sent to a recipient or withheld, and why",
        parameters=[one for one in FILTER_PARAMETERS if one.name != "subject"] + PAGE_PARAMETERS,
        responses=answers(page_of(HistoryEntrySerializer), 400),
        tags=["Recipients"],
    )
    def get(self, request: Request, external_id: str) -> Response:
        """A page of it. Somebody who never got anything has an empty history."""
        check_query(request, self.filters)
        query = request.query_params.dict()
        messages = with_all(Delivery.objects.for_tenant(self.tenant_id).filter(Q(subject=external_id), wanted(query)))
        visits = withheld_from(self.tenant_id, external_id).filter(wanted_steps(query))
        rows, following = merged_page(request, in_order_of_time(messages, visits))
        return Response({"items": self._shown(rows, external_id), "next": following})

    def _shown(self, rows: Sequence[Delivery | StepRun], external_id: str) -> list[Any]:
        messages = [row for row in rows if isinstance(row, Delivery)]
        visits = described(self.tenant_id, [row for row in rows if isinstance(row, StepRun)])
        shown: dict[tuple[bool, int], Any] = {(False, one.row.pk): of_visit(one, external_id) for one in visits}
        links = with_links(self.tenant_id, messages, self.now, HistoryEntrySerializer)
        shown |= {(True, row.pk): one for row, one in zip(messages, links, strict=True)}
        return [shown[isinstance(row, Delivery), row.pk] for row in rows]


def with_all(rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
    """Deliveries with what is shown of other rows."""
    return rows.select_related("run", "resend_of", "step_run").prefetch_related("inbox_items", "resends")


def history_page(view: TenantView, rows: QuerySet[Delivery]) -> Response:
    """The page that the request asks for, with every id that its messages lead to. Raises `Invalid`."""
    pages = CursorPages()
    page = pages.paginate_queryset(rows, view.request, view)
    return pages.get_paginated_response(with_links(view.tenant_id, page, view.now))
