"""Legal holds in REST."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.retention_schemas import TAG, HoldSerializer, PlaceHoldSerializer
from workflows.models import LegalHold
from workflows.retention.holds import place_hold, release_hold


class HoldsView(TenantView):
    """What must not be pruned."""

    scopes = {"GET": Scope.RETENTION_READ, "POST": Scope.RETENTION_WRITE}
    page_by = "-id"

    @extend_schema(
        operation_id="holds_place",
        summary="Keep a run, a subject or a definition from being pruned",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=PlaceHoldSerializer,
        responses=answers(HoldSerializer, 400, 404, status=201),
    )
    def post(self, request: Request) -> Response:
        """From the answer on. One that is there already is answered as it is."""
        asked = read_input(PlaceHoldSerializer, request)
        hold = place_hold(tenant_id=self.tenant_id, placed_by=caller_of(request).prefix, **asked)
        return Response(HoldSerializer(hold).data, status=201)

    @extend_schema(
        operation_id="holds_list",
        summary="Legal holds, newest first, released ones too",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(HoldSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Who placed and released them, and why."""
        return self.page(LegalHold.objects.filter(tenant_id=self.tenant_id), HoldSerializer)


class ReleaseHoldView(TenantView):
    """Let a hold go."""

    scopes = {"POST": Scope.RETENTION_WRITE}

    @extend_schema(
        operation_id="holds_release",
        summary="Release a legal hold",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=answers(HoldSerializer, 404),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Releasing it again changes nothing."""
        hold = release_hold(tenant_id=self.tenant_id, public_id=public_id, released_by=caller_of(request).prefix)
        return Response(HoldSerializer(hold).data)
