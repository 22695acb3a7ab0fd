"""REST: events, and how they went to whom."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_input
from chimeway_py.errors import Invalid, fault
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.event_schemas import (
    EventDetailSerializer,
    EventDispatchSerializer,
    EventSerializer,
    ResendEventSerializer,
)
from workflows.errors import SubscriptionNotFound
from workflows.events.replay import event_of, resend_event
from workflows.events.types import EventType
from workflows.models import DispatchStatus, Event, EventDispatch, EventSubscription

TAG = ["Events"]


class EventsView(TenantView):
    """Events, newest first."""

    scopes = {"GET": Scope.RUNS_READ}
    filters = ("type", "run")

    @extend_schema(
        operation_id="events_list",
        summary="Events, newest first",
        parameters=[
            OpenApiParameter("type", str, enum=EventType.values),
            OpenApiParameter("run", {"type": "string", "format": "uuid"}),
            *PAGE_PARAMETERS,
        ],
        responses=answers(page_of(EventSerializer), 400),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        check_query(request, self.filters)
        where = wanted(request.query_params.dict())
        return self.page(Event.objects.filter(tenant_id=self.tenant_id, **where), EventSerializer)


class EventView(TenantView):
    """One event."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="events_get",
        summary="One event, and how it went to each subscription",
        responses=answers(EventDetailSerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """With every try."""
        event = event_of(self.tenant_id, public_id)
        owed = dispatches_of(self.tenant_id).filter(event=event).order_by("id")
        shown: Any = EventSerializer(event).data
        shown["dispatches"] = EventDispatchSerializer(owed, many=True).data
        return Response(shown)


class ResendEventView(TenantView):
    """Sends one event again."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="events_resend",
        summary="Send one event again to one subscription",
        parameters=[IDEMPOTENCY_KEY],
        request=ResendEventSerializer,
        responses=answers(EventDispatchSerializer, 400, 404, 409, status=202),
        tags=TAG,
    )
    def post(self, request: Request, public_id: UUID) -> Response:
        """Under the id that it had."""
        asked = read_input(ResendEventSerializer, request)
        owed = resend_event(tenant_id=self.tenant_id, event=public_id, key=asked["subscription"])
        return Response(EventDispatchSerializer(owed).data, status=202)


class DispatchesView(TenantView):
    """What was and is owed to one subscription."""

    scopes = {"GET": Scope.RUNS_READ}
    filters = ("status",)

    @extend_schema(
        operation_id="event_subscriptions_dispatches",
        summary="What was and is owed to one subscription, newest first, with every try",
        parameters=[OpenApiParameter("status", str, enum=DispatchStatus.values), *PAGE_PARAMETERS],
        responses=answers(page_of(EventDispatchSerializer), 400, 404),
        tags=TAG,
    )
    def get(self, request: Request, key: str) -> Response:
        """A page of them."""
        check_query(request, self.filters)
        status = request.query_params.get("status")
        if status is not None and status not in DispatchStatus.values:
            told = fault("/status", "unknown_status", f"One of {', '.join(DispatchStatus.values)}.")
            raise Invalid("The query is not valid.", [told])
        mine = EventSubscription.objects.filter(tenant_id=self.tenant_id, key=key).first()
        if mine is None:
            raise SubscriptionNotFound
        rows = dispatches_of(self.tenant_id).filter(subscription=mine)
        return self.page(rows.filter(status=status) if status else rows, EventDispatchSerializer)


def dispatches_of(tenant_id: int) -> QuerySet[EventDispatch]:
    """A tenant's dispatches with what the serializer shows of other rows."""
    rows = EventDispatch.objects.filter(tenant_id=tenant_id)
    return rows.select_related("event", "subscription").prefetch_related("attempts")


def wanted(query: dict[str, str]) -> dict[str, Any]:
    """The conditions of a list's query. Raises `Invalid` for a type that there is not, and for what is no id."""
    where: dict[str, Any] = {"type": query["type"]} if "type" in query else {}
    faults = []
    if where and where["type"] not in EventType.values:
        faults.append(fault("/type", "unknown_type", f"One of {', '.join(EventType.values)}."))
    if "run" in query:
        try:
            where["run_public_id"] = UUID(query["run"])
        except ValueError:
            faults.append(fault("/run", "bad_id", "The public id of a run."))
    if faults:
        raise Invalid("The query is not valid.", faults)
    return where
