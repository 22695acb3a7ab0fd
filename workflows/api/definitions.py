"""Definitions in REST: save, list, read, judge."""

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_object
from chimeway_py.errors import Invalid, fault
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.definition_schemas import (
    TAG,
    DefinitionSerializer,
    DocumentSerializer,
    JudgementSerializer,
    VersionSerializer,
)
from workflows.api.parsers import DefinitionJSONParser, DefinitionYAMLParser
from workflows.definitions.schema import document_schema
from workflows.definitions.validate import validate
from workflows.models import Definition
from workflows.models.definition import DefinitionStatus
from workflows.services import definitions

_BODIES = {"application/json": DocumentSerializer, "application/yaml": DocumentSerializer}


class DefinitionsView(TenantView):
    """Save a draft; list versions."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "POST": Scope.DEFINITIONS_WRITE}
    parser_classes = [DefinitionJSONParser, DefinitionYAMLParser]
    filters = ("key", "status")

    @extend_schema(
        operation_id="definitions_create",
        summary="Save a draft",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=_BODIES,
        responses=answers(DefinitionSerializer, 400, 409, 413, 415, status=201),
    )
    def post(self, request: Request) -> Response:
        """The draft of the key; the published version when that already holds this document."""
        draft = definitions.save_draft(tenant_id=self.tenant_id, document=read_object(request))
        return Response(DefinitionSerializer(draft).data, status=201)

    @extend_schema(
        operation_id="definitions_list",
        summary="Versions of definitions, newest first",
        tags=TAG,
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("key", str),
            OpenApiParameter("status", str, enum=DefinitionStatus.values),
        ],
        responses=answers(page_of(VersionSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Without their documents."""
        check_query(request, self.filters)
        asked = {name: request.query_params[name] for name in self.filters if name in request.query_params}
        if asked.get("status", "draft") not in DefinitionStatus.values:
            message = f"One of {', '.join(DefinitionStatus.values)}."
            raise Invalid("The query is not valid.", [fault("/status", "choice", message)])
        return self.page(Definition.objects.for_tenant(self.tenant_id).filter(**asked), VersionSerializer)


class DefinitionView(TenantView):
    """The current version of a key, and its draft."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE}
    parser_classes = [DefinitionJSONParser, DefinitionYAMLParser]

    @extend_schema(
        operation_id="definitions_get",
        summary="The latest published version",
        tags=TAG,
        responses=answers(DefinitionSerializer, 404),
    )
    def get(self, request: Request, key: str) -> Response:
        """What a run started now would follow."""
        return Response(DefinitionSerializer(definitions.fetch_definition(tenant_id=self.tenant_id, key=key)).data)

    @extend_schema(
        operation_id="definitions_put",
        summary="Save the draft of a key",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=_BODIES,
        responses=answers(DefinitionSerializer, 400, 409, 413, 415),
    )
    def put(self, request: Request, key: str) -> Response:
        """The draft; the published version when that already holds this document."""
        document = read_object(request)
        if document.get("key") != key:
            message = f"The address says {key!r}, so must the document."
            raise Invalid("The definition has another key.", [fault("/key", "other_key", message)])
        draft = definitions.save_draft(tenant_id=self.tenant_id, document=document)
        return Response(DefinitionSerializer(draft).data)


class SchemaView(TenantView):
    """The JSON Schema of a definition."""

    scopes = {"GET": None}

    @extend_schema(
        operation_id="definitions_schema",
        summary="The JSON Schema (draft 2020-12) of a definition",
        tags=TAG,
        responses=answers(OpenApiTypes.OBJECT),
    )
    def get(self, request: Request) -> Response:
        """For editors and checkers; what no schema can say, `validate` says."""
        return Response(document_schema())


class ValidateView(TenantView):
    """Judge a document without saving it."""

    scopes = {"POST": Scope.DEFINITIONS_READ}
    parser_classes = [DefinitionJSONParser, DefinitionYAMLParser]

    @extend_schema(
        operation_id="definitions_validate",
        summary="Every fault of a document",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=_BODIES,
        responses=answers(JudgementSerializer, 400, 409, 413, 415),
    )
    def post(self, request: Request) -> Response:
        """All faults at once, each with its path; what cannot be read at all is a 400."""
        faults = validate(read_object(request), self.tenant_id)
        return Response({"valid": not faults, "faults": faults})
