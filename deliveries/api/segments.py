"""REST: segments."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_input
from deliveries.api.broadcast_schemas import SEGMENTS, CountSerializer, PutSegmentSerializer, SegmentSerializer
from deliveries.broadcasts.segments import count_matches, drop_segment, put_segment, segment_named
from deliveries.models import Segment
from tenants.api.views import TenantView
from tenants.models.api_key import Scope


class SegmentListView(TenantView):
    """Segments."""

    scopes = {"GET": Scope.RECIPIENTS_READ}

    @extend_schema(
        operation_id="segment_list",
        summary="Segments, newest first",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(SegmentSerializer), 400),
        tags=SEGMENTS,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(Segment.objects.filter(tenant_id=self.tenant_id), SegmentSerializer)


class SegmentView(TenantView):
    """One segment."""

    scopes = {"GET": Scope.RECIPIENTS_READ, "PUT": Scope.RECIPIENTS_WRITE, "DELETE": Scope.RECIPIENTS_WRITE}

    @extend_schema(
        operation_id="segment_get", summary="One segment", responses=answers(SegmentSerializer, 404), tags=SEGMENTS
    )
    def get(self, request: Request, key: str) -> Response:
        """Its condition."""
        check_query(request, ())
        return Response(SegmentSerializer(segment_named(self.tenant_id, key)).data)

    @extend_schema(
        operation_id="segment_put",
        summary="Make or change a segment",
        parameters=[IDEMPOTENCY_KEY],
        request=PutSegmentSerializer,
        responses=answers(SegmentSerializer, 400) | {201: SegmentSerializer},
        tags=SEGMENTS,
    )
    def put(self, request: Request, key: str) -> Response:
        """Broadcasts that exist keep the condition that they were made with."""
        asked = read_input(PutSegmentSerializer, request)
        segment, is_new = put_segment(tenant_id=self.tenant_id, key=key, **asked)
        return Response(SegmentSerializer(segment).data, status=201 if is_new else 200)

    @extend_schema(
        operation_id="segment_delete",
        summary="Forget a segment",
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, status=204),
        tags=SEGMENTS,
    )
    def delete(self, request: Request, key: str) -> Response:
        """Broadcasts that were made from it stay as they are."""
        drop_segment(tenant_id=self.tenant_id, key=key)
        return Response(status=204)


class SegmentCountView(TenantView):
    """Who is in a segment."""

    scopes = {"GET": Scope.RECIPIENTS_READ}

    @extend_schema(
        operation_id="segment_count",
        summary="How many recipients a segment has now",
        responses=answers(CountSerializer, 404),
        tags=SEGMENTS,
    )
    def get(self, request: Request, key: str) -> Response:
        """Every recipient is looked at, the first 100,000 at most."""
        check_query(request, ())
        segment = segment_named(self.tenant_id, key)
        return Response(CountSerializer(count_matches(tenant_id=self.tenant_id, condition=segment.condition)).data)
