"""REST: broadcasts."""

import uuid
from itertools import islice
from tempfile import SpooledTemporaryFile
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import FileResponse, HttpRequest
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.cursors import seal_cursor
from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query, read_cursor, read_limit
from chimeway_py.api.serializers import read_input
from chimeway_py.api.uploads import AnyParser, Upload, take_upload
from chimeway_py.errors import Invalid, fault
from deliveries.api.broadcast_schemas import (
    TAG,
    BroadcastPreviewSerializer,
    BroadcastSerializer,
    CancelBroadcastSerializer,
    NewBroadcastSerializer,
    OutcomesSerializer,
    StartBroadcastSerializer,
    TargetPageSerializer,
    TargetSerializer,
)
from deliveries.broadcasts.making import NewBroadcast, make_broadcast, put_targets
from deliveries.broadcasts.ordering import cancel_broadcast, start_broadcast
from deliveries.broadcasts.outcomes import outcomes_of
from deliveries.broadcasts.preview import preview
from deliveries.broadcasts.report import report_lines
from deliveries.broadcasts.standing import broadcast_of, target_states, targets_of_subject
from deliveries.broadcasts.uploading import targets_in
from deliveries.models import Broadcast
from tenants.api.authentication import caller_of, need_scope
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

_REFUSALS = {status: said for status, said in answers(None, 404).items() if status != 200}
IN_MEMORY = 4 * 1024 * 1024  # bytes of a report; a longer one waits in a file
_FILE = {
    "text/csv": OpenApiTypes.STR,
    "application/x-ndjson": OpenApiTypes.STR,
    "multipart/form-data": OpenApiTypes.OBJECT,
}


class BroadcastListView(TenantView):
    """Make a broadcast; list broadcasts."""

    scopes = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="broadcast_make",
        summary="Make a draft for many recipients",
        description="Nothing starts. A broadcast to a segment needs `recipients:read`, too.",
        parameters=[IDEMPOTENCY_KEY],
        request=NewBroadcastSerializer,
        responses=answers(BroadcastSerializer, 400, 404, 409, 413, status=201),
        tags=TAG,
    )
    def post(self, request: Request) -> Response:
        """The draft."""
        new = NewBroadcast(**read_input(NewBroadcastSerializer, request))
        if new.segment:
            need_scope(request, Scope.RECIPIENTS_READ)
        made = make_broadcast(tenant_id=self.tenant_id, new=new, made_by=caller_of(request).prefix)
        return Response(BroadcastSerializer(made).data, status=201)

    @extend_schema(
        operation_id="broadcast_list",
        summary="Broadcasts, newest first",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(BroadcastSerializer), 400),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(Broadcast.objects.filter(tenant_id=self.tenant_id), BroadcastSerializer)


class BroadcastView(TenantView):
    """One broadcast."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="broadcast_get",
        summary="A broadcast, and how far it has come",
        responses=answers(BroadcastSerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Numbers, and a sentence."""
        check_query(request, ())
        return Response(BroadcastSerializer(broadcast_of(self.tenant_id, public_id)).data)


class OutcomesView(TenantView):
    """What became of the runs and messages of a broadcast."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="broadcast_outcomes",
        summary="What became of a broadcast's runs and messages",
        description="Counted when you ask. A message that was withheld is `suppressed`, and never counts as failed.",
        responses=answers(OutcomesSerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Numbers by state, and by step and status."""
        check_query(request, ())
        need_scope(request, Scope.DELIVERIES_READ)
        return Response(OutcomesSerializer(outcomes_of(broadcast_of(self.tenant_id, public_id))).data)


class TargetsView(TenantView):
    """The targets of a broadcast."""

    scopes = {"GET": Scope.RUNS_READ, "PUT": Scope.RUNS_WRITE}
    parser_classes = [AnyParser]
    filters = ("subject", "outcome")
    upload: Upload | None = None

    def take_body(self, request: HttpRequest) -> None:
        """A file is large: it is taken when it is known who sends it."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Keep the file on disk. No connection is held while it comes."""
        super().initial(request, *args, **kwargs)
        if request.method == "PUT":
            connection.close()
            self.upload = take_upload(request._request, settings.BROADCAST_MAX_BYTES)

    @extend_schema(
        operation_id="broadcast_targets_put",
        summary="Let a file say whom a draft is for",
        description="CSV or JSON lines, as a body or as the one file of a form. All rows are checked; all or none.",
        parameters=[IDEMPOTENCY_KEY],
        request=_FILE,
        responses=answers(BroadcastSerializer, 400, 404, 409, 413, 415),
        tags=TAG,
    )
    def put(self, request: Request, public_id: uuid.UUID) -> Response:
        """The draft with its targets; what it had before is replaced."""
        assert self.upload is not None
        try:
            broadcast = broadcast_of(self.tenant_id, public_id)
            targets = targets_in(broadcast, self.upload.file, self.upload.media_type, self.upload.charset)
            if targets is None:
                raise UnsupportedMediaType(self.upload.media_type or "none")
            filled, tells_recipients = put_targets(tenant_id=self.tenant_id, public_id=public_id, targets=targets)
        finally:
            self.upload.close()
        if tells_recipients:
            need_scope(request, Scope.RECIPIENTS_WRITE)
        return Response(BroadcastSerializer(filled).data)

    @extend_schema(
        operation_id="broadcast_targets",
        summary="What became of each target",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("subject", str, description="Only this subject: was it started, and if not, why?"),
            OpenApiParameter("outcome", str, enum=["skipped"], description="Only those that got no run."),
        ],
        responses=answers(TargetPageSerializer, 400, 404),
        tags=TAG,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """In the order in which they are started."""
        check_query(request, self.filters)
        if request.query_params.get("outcome", "skipped") != "skipped":
            raise Invalid("The query is not valid.", [fault("/outcome", "unknown_outcome", "One of skipped.")])
        broadcast = broadcast_of(self.tenant_id, public_id)
        limit, after = read_limit(request), read_cursor(request, of := f"targets {request.path}") or 0
        if subject := request.query_params.get("subject"):
            found, more = targets_of_subject(broadcast, subject)[:limit], False
        else:
            skipped_only = request.query_params.get("outcome") == "skipped"
            found = (
                list(islice(target_states(broadcast, after=after, skipped_only=skipped_only), limit + 1))
                if limit
                else []
            )
            more = len(found) > limit
            found = found[:limit]
        following = seal_cursor(found[-1].position, of=of) if more else None
        return Response({"items": TargetSerializer(found, many=True).data, "next": following})


class PreviewView(TenantView):
    """Look before it starts."""

    scopes = {"POST": Scope.RUNS_READ}

    @extend_schema(
        operation_id="broadcast_preview",
        summary="What starting a draft would do, and the token that starts it",
        request=None,
        responses=answers(BroadcastPreviewSerializer, 404, 409),
        tags=TAG,
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Nothing is written."""
        return Response(BroadcastPreviewSerializer(preview(tenant_id=self.tenant_id, public_id=public_id)).data)


class StartView(TenantView):
    """Begin."""

    scopes = {"POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="broadcast_start",
        summary="Start a draft that was looked at",
        parameters=[IDEMPOTENCY_KEY],
        request=StartBroadcastSerializer,
        responses=answers(BroadcastSerializer, 400, 404, 409, status=202),
        tags=TAG,
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Workers carry it out, a few hundred runs at a time."""
        asked = read_input(StartBroadcastSerializer, request)
        started = start_broadcast(
            tenant_id=self.tenant_id, public_id=public_id, ordered_by=caller_of(request).prefix, **asked
        )
        return Response(BroadcastSerializer(started).data, status=202)


class CancelView(TenantView):
    """End."""

    scopes = {"POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="broadcast_cancel",
        summary="Start nothing more, and cancel what was started if that is wanted",
        parameters=[IDEMPOTENCY_KEY],
        request=CancelBroadcastSerializer,
        responses=answers(BroadcastSerializer, 400, 404, 409),
        tags=TAG,
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """When this answers, nothing more is started."""
        asked = read_input(CancelBroadcastSerializer, request)
        ended = cancel_broadcast(
            tenant_id=self.tenant_id, public_id=public_id, cancelled_by=caller_of(request).prefix, **asked
        )
        return Response(BroadcastSerializer(ended).data)


class ReportView(TenantView):
    """What became of all targets, for a spreadsheet."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="broadcast_report",
        summary="What became of each target, as CSV",
        responses={**_REFUSALS, (200, "text/csv"): OpenApiTypes.STR},
        tags=TAG,
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Any:
        """A cell that a spreadsheet would take for a formula begins with an apostrophe."""
        check_query(request, ())
        broadcast = broadcast_of(self.tenant_id, public_id)
        file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115  the response closes it
        for line in report_lines(broadcast):
            file.write(line.encode())
        file.seek(0)
        return FileResponse(
            file, content_type="text/csv; charset=utf-8", filename=f"{public_id}.csv", as_attachment=True
        )
