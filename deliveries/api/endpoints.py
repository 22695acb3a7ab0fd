"""REST: endpoints, where webhooks go."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input
from chimeway_py.errors import Invalid, fault
from deliveries.api.serializers import (
    EndpointSecretSerializer,
    EndpointSerializer,
    PutEndpointSerializer,
    RotateSerializer,
)
from deliveries.models import Endpoint
from deliveries.services import EndpointSecret, put_endpoint, rotate_secret
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.definitions.durations import parse_duration


class EndpointListView(TenantView):
    """Endpoints, newest first."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="endpoint_list",
        summary="Endpoints",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(EndpointSerializer), 400),
        tags=["Endpoints"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(Endpoint.objects.filter(tenant_id=self.tenant_id), EndpointSerializer)


class EndpointView(TenantView):
    """One endpoint."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE}
    shown_once = ("secret",)

    @extend_schema(
        operation_id="endpoint_get",
        summary="One endpoint",
        responses=answers(EndpointSerializer, 404),
        tags=["Endpoints"],
    )
    def get(self, request: Request, key: str) -> Response:
        """Its address and when its secrets end."""
        return Response(EndpointSerializer(self.one(Endpoint.objects.all(), key=key)).data)

    @extend_schema(
        operation_id="endpoint_put",
        summary="Store an endpoint",
        description="A new endpoint gets its first secret, shown once. Enabling one that was disabled starts it anew.",
        parameters=[IDEMPOTENCY_KEY],
        request=PutEndpointSerializer,
        responses=answers(EndpointSecretSerializer, 400) | {201: EndpointSecretSerializer},
        tags=["Endpoints"],
    )
    def put(self, request: Request, key: str) -> Response:
        """The endpoint as it is now; 201 when it is new."""
        asked = read_input(PutEndpointSerializer, request)
        made = put_endpoint(tenant_id=self.tenant_id, key=key, **asked)
        return Response(shown(made), status=201 if made.secret else 200)


class RotateSecretView(TenantView):
    """Makes a new secret."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}
    shown_once = ("secret",)

    @extend_schema(
        operation_id="endpoint_rotate_secret",
        summary="Rotate an endpoint's secret",
        description="Until the overlap is over every webhook carries the signatures of both.",
        parameters=[IDEMPOTENCY_KEY],
        request=RotateSerializer,
        responses=answers(EndpointSecretSerializer, 400, 404, 409, status=201),
        tags=["Endpoints"],
    )
    def post(self, request: Request, key: str) -> Response:
        """The endpoint with its new secret."""
        try:
            overlap = parse_duration(read_input(RotateSerializer, request)["overlap"])
        except ValueError:
            message = "An ISO 8601 duration such as P1D."
            raise Invalid("The request is not valid.", [fault("/overlap", "duration", message)]) from None
        return Response(shown(rotate_secret(tenant_id=self.tenant_id, key=key, overlap=overlap)), status=201)


def shown(made: EndpointSecret) -> dict[str, object]:
    """An endpoint, and once its new secret."""
    return {**EndpointSerializer(made.endpoint).data, "secret": made.secret}
