"""Subjects in REST: erase one, and export what is held about one."""

from collections.abc import Iterator
from typing import Any, cast

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.errors import Invalid, fault
from signals_app.subjects.erase import erase_subject
from signals_app.subjects.export import export_subject
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

JSON_LINES = "application/x-ndjson"
TAG = ["Subjects"]


class ErasedSerializer(serializers.Serializer[Any]):
    """What an erasure did."""

    subject = serializers.CharField(source="pseudonym", help_text="What rows that stay name instead: `erased:…`.")
    erased_at = serializers.DateTimeField()
    counts = serializers.DictField(child=serializers.IntegerField(), help_text="Rows erased, and runs cancelled.")
    repeated = serializers.BooleanField(
        source="is_repeated", help_text="Nothing was left; this tells of the last time."
    )
    in_flight = serializers.ListField(
        child=serializers.CharField(), help_text="Attempts that a worker was making; they may still arrive."
    )


class SubjectView(TenantView):
    """A subject."""

    scopes = {"DELETE": Scope.SUBJECTS_WRITE}

    @extend_schema(
        operation_id="subjects_erase",
        summary="Erase what is held about a subject",
        tags=TAG,
        parameters=[
            IDEMPOTENCY_KEY,
            OpenApiParameter("reason", str, description="For the record; at most 200 characters, nothing personal."),
            OpenApiParameter("dry_run", bool, description="Count, and change nothing."),
        ],
        responses=answers(ErasedSerializer, 400, 409),
    )
    def delete(self, request: Request, subject: str) -> Response:
        """Its live runs are cancelled, its payloads are gone and its inbox is empty when the answer leaves.

        Asking again is harmless. A subject that nothing is known of is erased too, and the record says so.
        """
        erased = erase_subject(
            tenant_id=self.tenant_id,
            subject=subject,
            cause="api",
            cause_ref=caller_of(request).prefix,
            reason=request.query_params.get("reason", ""),
            dry_run=_flag(request, "dry_run"),
        )
        return Response(ErasedSerializer(erased).data)


class JSONLinesRenderer(JSONRenderer):
    """Lets a caller ask for lines by their type; refusals are one JSON object all the same."""

    media_type = JSON_LINES
    format = "ndjson"


class ExportView(TenantView):
    """What is held about a subject."""

    scopes = {"GET": Scope.SUBJECTS_READ}
    renderer_classes = [JSONRenderer, JSONLinesRenderer]

    @extend_schema(
        operation_id="subjects_export",
        summary="Export what is held about a subject",
        tags=TAG,
        responses={
            **{status: answer for status, answer in answers(None, 400).items() if status != 200},
            (200, JSON_LINES): OpenApiResponse(OpenApiTypes.STR, description="One JSON object a line, by `kind`."),
        },
    )
    def get(self, request: Request, subject: str) -> Response:
        """Runs, signals, deliveries, the inbox and payloads, in the clear. The last line is `{"kind": "end"}`.

        A subject that nothing is known of, or that is another tenant's, has an export with nothing in it.
        """
        lines = export_subject(tenant_id=self.tenant_id, subject=subject)
        return cast(Response, StreamingHttpResponse(_with_ends(lines), content_type=JSON_LINES))


def _with_ends(lines: Iterator[str]) -> Iterator[bytes]:
    return (f"{line}\n".encode() for line in lines)


def _flag(request: Request, name: str) -> bool:
    """A query parameter that is true or false. Raises `Invalid`."""
    match request.query_params.get(name, "false"):
        case "true":
            return True
        case "false":
            return False
    raise Invalid("The query is not valid.", [fault(f"/{name}", "bad_flag", "true or false.")])
