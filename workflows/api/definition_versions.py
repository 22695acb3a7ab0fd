"""The versions of a definition in REST: read, publish, retire, compare."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.paging import check_query
from chimeway_py.errors import Invalid, fault
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.definition_schemas import TAG, ChangesSerializer, DefinitionSerializer, VersionSerializer
from workflows.services import definitions


class VersionView(TenantView):
    """One version."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="definitions_version_get",
        summary="One version, whatever its status",
        tags=TAG,
        responses=answers(DefinitionSerializer, 404),
    )
    def get(self, request: Request, key: str, version: int) -> Response:
        """The version with its document."""
        found = definitions.fetch_definition(tenant_id=self.tenant_id, key=key, version=version)
        return Response(DefinitionSerializer(found).data)


class PublishView(TenantView):
    """Publish a draft."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="definitions_publish",
        summary="Publish a draft: it is frozen from then on",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=answers(VersionSerializer, 400, 404, 409),
    )
    def post(self, request: Request, key: str, version: int) -> Response:
        """The published version; publishing it again changes nothing."""
        published = definitions.publish_definition(tenant_id=self.tenant_id, key=key, version=version)
        return Response(VersionSerializer(published).data)


class RetireView(TenantView):
    """Retire a published version."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="definitions_retire",
        summary="Retire a version: it starts nothing new, and its runs go on",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=answers(VersionSerializer, 404, 409),
    )
    def post(self, request: Request, key: str, version: int) -> Response:
        """The retired version; retiring it again changes nothing."""
        retired = definitions.retire_definition(tenant_id=self.tenant_id, key=key, version=version)
        return Response(VersionSerializer(retired).data)


class DiffView(TenantView):
    """Compare two versions of a key."""

    scopes = {"GET": Scope.DEFINITIONS_READ}
    filters = ("from", "to")

    @extend_schema(
        operation_id="definitions_diff",
        summary="What changed between two versions",
        tags=TAG,
        parameters=[OpenApiParameter("from", int, required=True), OpenApiParameter("to", int, required=True)],
        responses=answers(ChangesSerializer, 400, 404),
    )
    def get(self, request: Request, key: str) -> Response:
        """The changes, step by step; none when both say the same."""
        check_query(request, self.filters)
        before, after = (_version(request, name) for name in self.filters)
        changes = definitions.diff_definitions(tenant_id=self.tenant_id, key=key, from_version=before, to_version=after)
        return Response(ChangesSerializer({"changes": changes}).data)


def _version(request: Request, name: str) -> int:
    text: Any = request.query_params.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid("The query is not valid.", [fault(f"/{name}", "bad_version", "The number of a version.")])
    return int(text)
