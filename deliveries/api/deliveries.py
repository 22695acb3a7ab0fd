"""REST: deliveries, for support desks and for providers that report a bounce."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input
from deliveries.api.delivery_filters import FILTER_PARAMETERS, FILTERS, wanted
from deliveries.api.history import HISTORY_PAGE, HistoryItemSerializer, history_page, with_all, with_links
from deliveries.api.serializers import AddressSerializer, BounceSerializer, DeliverySerializer, ResendSerializer
from deliveries.models import Delivery
from deliveries.querysets import DeliveryQuerySet
from deliveries.recipients.searching import deliveries_to
from deliveries.services import record_bounce, resend_delivery
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.settling import FoundOutSerializer
from workflows.services.unknown import settle_unknown
from workflows.states import Cause


class DeliveryListView(TenantView):
    """Deliveries, newest first."""

    scopes = {"GET": Scope.DELIVERIES_READ}
    filters = FILTERS

    @extend_schema(
        operation_id="delivery_list",
        summary="Deliveries",
        parameters=FILTER_PARAMETERS + PAGE_PARAMETERS,
        responses=answers(page_of(DeliverySerializer), 400),
        tags=["Deliveries"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        rows = rows_of(self.tenant_id).filter(wanted(request.query_params.dict()))
        return self.page(rows, DeliverySerializer)


class DeliverySearchView(TenantView):
    """Messages to an address. It is personal, so it comes in the body, where no log of addresses sees it."""

    scopes = {"POST": Scope.DELIVERIES_READ}
    filters = FILTERS

    @extend_schema(
        operation_id="delivery_search",
        summary="What was sent to an address or withheld, and why",
        description="Over any channel and for whomever, newest first. The address is compared and not kept.",
        parameters=[*FILTER_PARAMETERS, *PAGE_PARAMETERS, IDEMPOTENCY_KEY],
        request=AddressSerializer,
        responses=answers(HISTORY_PAGE, 400),
        tags=["Deliveries"],
    )
    def post(self, request: Request) -> Response:
        """A page of them. An address that we never wrote to has none."""
        said = read_input(AddressSerializer, request)
        rows = with_all(deliveries_to(self.tenant_id, said["address"]).filter(wanted(request.query_params.dict())))
        return history_page(self, rows)


class DeliveryView(TenantView):
    """One delivery."""

    scopes = {"GET": Scope.DELIVERIES_READ}

    @extend_schema(
        operation_id="delivery_get",
        summary="One delivery",
        responses=answers(HistoryItemSerializer, 404),
        tags=["Deliveries"],
    )
    def get(self, request: Request, delivery: UUID) -> Response:
        """Where it stands and why, and the ids of all that it leads to."""
        found = self.one(rows_of(self.tenant_id), public_id=delivery)
        return Response(with_links(self.tenant_id, [found], self.now)[0])


class ResendView(TenantView):
    """Sends a settled message once more."""

    scopes = {"POST": Scope.DELIVERIES_WRITE}

    @extend_schema(
        operation_id="delivery_resend",
        summary="Send a message again",
        description="A new delivery under an effect key of its own, linked to the old one. The run is not moved by it.",
        parameters=[IDEMPOTENCY_KEY],
        request=ResendSerializer,
        responses=answers(DeliverySerializer, 400, 404, 409, status=201),
        tags=["Deliveries"],
    )
    def post(self, request: Request, delivery: UUID) -> Response:
        """The new delivery."""
        asked = read_input(ResendSerializer, request)
        new = resend_delivery(tenant_id=self.tenant_id, delivery=delivery, **asked)
        return Response(DeliverySerializer(new).data, status=201)


class BounceView(TenantView):
    """Takes a provider's report that a mail came back."""

    scopes = {"POST": Scope.DELIVERIES_WRITE}

    @extend_schema(
        operation_id="delivery_bounce",
        summary="Report a bounce",
        description="The run judges the outcome `bounced`, also while it waits. Reporting it again changes nothing.",
        parameters=[IDEMPOTENCY_KEY],
        request=BounceSerializer,
        responses=answers(DeliverySerializer, 400, 404, 409),
        tags=["Deliveries"],
    )
    def post(self, request: Request, delivery: UUID) -> Response:
        """The delivery as it is now."""
        error = f"bounced {read_input(BounceSerializer, request)['code']}".strip()
        bounced = record_bounce(tenant_id=self.tenant_id, delivery=delivery, error=error)
        return Response(DeliverySerializer(bounced).data)


class SettleView(TenantView):
    """Settles a delivery whose end nobody saw."""

    scopes = {"POST": Scope.DELIVERIES_WRITE}

    @extend_schema(
        operation_id="delivery_settle",
        summary="Say what became of a delivery whose outcome is unknown",
        description="Its run goes on as though the delivery had just ended so. Anything but `unknown` is refused.",
        parameters=[IDEMPOTENCY_KEY],
        request=FoundOutSerializer,
        responses=answers(DeliverySerializer, 400, 404, 409),
        tags=["Deliveries"],
    )
    def post(self, request: Request, delivery: UUID) -> Response:
        """The delivery as it is now."""
        asked = read_input(FoundOutSerializer, request)
        found = self.one(rows_of(self.tenant_id), public_id=delivery)
        caller = caller_of(request).prefix
        settle_unknown(tenant_id=self.tenant_id, key=found.key, cause=Cause.API, cause_ref=caller, **asked)
        return Response(DeliverySerializer(self.one(rows_of(self.tenant_id), public_id=delivery)).data)


def rows_of(tenant_id: int) -> DeliveryQuerySet:
    """The tenant's deliveries with what the serializer shows of other rows."""
    return Delivery.objects.for_tenant(tenant_id).select_related("run", "resend_of")
