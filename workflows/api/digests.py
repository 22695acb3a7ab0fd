"""REST: digests, what is in them, and what may be done to one that collects."""

import uuid
from collections.abc import Mapping
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import CursorPages, check_query, closed_faults
from chimeway_py.api.serializers import StrictSerializer, read_input, read_input_or_query
from chimeway_py.errors import Invalid, fault
from chimeway_py.text import LONGEST_REASON
from signals_app.services.payloads import load_payloads
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.digests.closing import Asked
from workflows.digests.control import find_digest, flush_digest, remove_item
from workflows.models import ClosedBy, Digest, DigestItem, DigestStatus, Left
from workflows.states import Cause

TAG = ["Digests"]
_FIELDS = {"workflow": "definition_key", "step": "step", "subject": "subject", "status": "status"}


class DigestSerializer(serializers.ModelSerializer[Digest]):
    """A digest: what it is of, how many items it has, and when it closes or was closed."""

    id = serializers.UUIDField(source="public_id")
    workflow = serializers.CharField(source="definition_key")
    subject = serializers.CharField(help_text="Empty: it collects across subjects.")
    status = serializers.ChoiceField(choices=DigestStatus.choices)
    count = serializers.IntegerField(help_text="Items that are in it.")
    opened_at = serializers.DateTimeField(source="created_at")
    closed_by = serializers.ChoiceField(choices=[("", ""), *ClosedBy.choices])
    leader_run_id = serializers.UUIDField(
        source="leader_run.public_id", allow_null=True, default=None, help_text="Which run went on with it."
    )

    class Meta:
        model = Digest
        fields = [
            "id", "workflow", "step", "subject", "status", "count",
            "opened_at", "closes_at", "closed_at", "closed_by", "leader_run_id",
        ]  # fmt: skip


class DigestItemSerializer(serializers.ModelSerializer[DigestItem]):
    """What one run brought, in the order of commits."""

    run_id = serializers.UUIDField(source="run.public_id")
    left_why = serializers.ChoiceField(choices=[("", ""), *Left.choices], help_text="Empty: it is in the digest.")
    data = serializers.SerializerMethodField(  # type: ignore[assignment]
        help_text="With `include=data`: what it is; null when it was erased."
    )

    class Meta:
        model = DigestItem
        fields = ["position", "run_id", "subject", "joined_at", "left_at", "left_why", "data"]

    def get_data(self, item: DigestItem) -> Any:
        """The value, where it was asked for."""
        return self.context.get("values", {}).get(bytes(item.payload_sha or b""))


class DigestReasonSerializer(StrictSerializer):
    """Why somebody does this; the trace keeps it."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class DigestsView(TenantView):
    """The digests of a tenant."""

    scopes = {"GET": Scope.RUNS_READ}
    filters = tuple(_FIELDS)

    @extend_schema(
        operation_id="digests_list",
        summary="Digests, newest first",
        tags=TAG,
        parameters=[
            *PAGE_PARAMETERS,
            *(OpenApiParameter(name, str) for name in ("workflow", "step", "subject")),
            OpenApiParameter("status", str, enum=DigestStatus.values),
        ],
        responses=answers(page_of(DigestSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Of one workflow, step, subject or status, if asked."""
        check_query(request, self.filters)
        asked = {column: request.query_params[name] for name, column in _FIELDS.items() if name in request.query_params}
        if faults := closed_faults(asked, {"status": DigestStatus.values}):
            raise Invalid("The query is not valid.", faults)
        rows = Digest.objects.filter(tenant_id=self.tenant_id, **asked).select_related("leader_run")
        return self.page(rows, DigestSerializer)


class DigestView(TenantView):
    """One digest."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(operation_id="digests_get", summary="One digest", tags=TAG, responses=answers(DigestSerializer, 404))
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """As it stands."""
        return Response(DigestSerializer(find_digest(tenant_id=self.tenant_id, public_id=public_id)).data)


class FlushDigestView(TenantView):
    """Closes a digest before its time."""

    scopes = {"POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="digests_flush",
        summary="Close a digest now",
        description="One of its runs goes on with all items; the others are told next. A closed one is refused.",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=DigestReasonSerializer,
        responses=answers(DigestSerializer, 400, 404, 409),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The digest, closed."""
        asked = _asked(request, read_input(DigestReasonSerializer, request))
        return Response(DigestSerializer(flush_digest(tenant_id=self.tenant_id, public_id=public_id, asked=asked)).data)


class DigestItemsView(TenantView):
    """What is in a digest, and what has left it."""

    scopes = {"GET": Scope.RUNS_READ}
    page_by = "position"
    filters = ("include",)

    @extend_schema(
        operation_id="digests_items",
        summary="The items of a digest, in the order of commits",
        tags=TAG,
        parameters=[*PAGE_PARAMETERS, OpenApiParameter("include", str, enum=["data"])],
        responses=answers(page_of(DigestItemSerializer), 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Also items that have left, which say why."""
        include = request.query_params.get("include", "")
        if include not in ("", "data"):
            raise Invalid("The query is not valid.", [fault("/include", "unknown", "It can be data.")])
        digest = find_digest(tenant_id=self.tenant_id, public_id=public_id)
        rows = DigestItem.objects.filter(tenant_id=self.tenant_id, digest_id=digest.pk).select_related("run")
        pages = CursorPages()
        found = pages.paginate_queryset(rows, request, self)
        named = [bytes(item.payload_sha) for item in found if include and item.payload_sha is not None]
        values = load_payloads(self.tenant_id, named)
        return pages.get_paginated_response(DigestItemSerializer(found, many=True, context={"values": values}).data)


class DigestItemView(TenantView):
    """One item of a digest that collects."""

    scopes = {"DELETE": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="digests_remove_item",
        summary="Take an item out of a digest that collects",
        description="Its run goes where the step's outcome `removed` leads, or else stops. The reason is in the body,"
        " or in the query where a client sends no body with a DELETE.",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, OpenApiParameter("reason", str)],
        request=DigestReasonSerializer,
        responses=answers(DigestItemSerializer, 400, 404, 409),
    )
    def delete(self, request: Request, public_id: uuid.UUID, position: int) -> Response:
        """The item, which has left."""
        asked = _asked(request, read_input_or_query(DigestReasonSerializer, request))
        item = remove_item(tenant_id=self.tenant_id, public_id=public_id, position=position, asked=asked)
        return Response(DigestItemSerializer(item).data)


def _asked(request: Request, said: Mapping[str, Any]) -> Asked:
    return Asked(Cause.API, caller_of(request).prefix, said["reason"])
