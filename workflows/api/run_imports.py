"""Bringing exported runs in, in REST."""

from collections.abc import Mapping
from typing import IO, Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_object
from chimeway_py.errors import Invalid, fault
from tenants.api.authentication import need_scope
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.runs import TAG
from workflows.history.import_file import MOST_BYTES, import_file

NDJSON = "application/x-ndjson"


class ExportParser(BaseParser):
    """An export, as it is: its lines are read one by one, so that a bad one can be named."""

    media_type = NDJSON

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, bytes]:
        """The bytes, which `read_body` has bounded."""
        return {"file": bytes(stream.read())}


class ImportedRunSerializer(serializers.Serializer[Any]):
    """A run of the export."""

    id = serializers.UUIDField(source="public_id")
    created = serializers.BooleanField(help_text="False when it is here already.")
    transitions = serializers.IntegerField()


class ImportedSerializer(serializers.Serializer[Any]):
    """An answer for each run, in the order of the file."""

    runs = ImportedRunSerializer(many=True)


class ImportRunsView(TenantView):
    """Bring runs in."""

    scopes = {"POST": Scope.RUNS_WRITE}
    parser_classes = [ExportParser]
    most_bytes = MOST_BYTES

    @extend_schema(
        operation_id="runs_import",
        summary="Bring in runs that were exported",
        description=(
            "A file of exports as JSON lines, all of its runs or none. Faults name the line: `/17`. Needs "
            "`definitions:write`, too, because the version that a run follows comes along."
        ),
        tags=TAG,
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter("live", bool, description="Also runs that have not ended: they go on here."),
        ],
        request={NDJSON: OpenApiTypes.STR},
        responses=answers(ImportedSerializer, 400, 409, 413, 415, status=201) | {200: answers(ImportedSerializer)[200]},
    )
    def post(self, request: Request) -> Response:
        """201 when at least one was brought in, 200 when all of them are here already."""
        need_scope(request, Scope.DEFINITIONS_WRITE)
        check_query(request, ("live",))
        raw = read_object(request).get("file", b"")
        imported = import_file(tenant_id=self.tenant_id, raw=raw, live=_live(request))
        status = 201 if any(one.created for one in imported) else 200
        return Response(ImportedSerializer({"runs": imported}).data, status=status)


def _live(request: Request) -> bool:
    said = request.query_params.get("live", "false")
    if said not in ("true", "false"):
        raise Invalid("The query is not valid.", [fault("/live", "bad_boolean", "true or false.")])
    return said == "true"
