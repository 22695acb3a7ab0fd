"""REST: what operators did in the tenant, for its own auditors."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.errors import Invalid, fault
from tenants.api.views import TenantView
from tenants.models import OperatorAction
from tenants.models.api_key import Scope


class OperatorActionSerializer(serializers.ModelSerializer[OperatorAction]):
    """One thing that an operator asked for on one object."""

    operator = serializers.CharField(source="username")
    changes = serializers.DictField(
        child=serializers.ListField(), help_text="[before, after] of each field that differs; secrets are `(hidden)`."
    )

    class Meta:
        model = OperatorAction
        fields = [
            *("acted_at", "operator", "address", "via", "action", "object_kind", "object_ref"),
            *("reason", "moved", "refusal", "changes"),
        ]


class AuditView(TenantView):
    """The record of operators, newest first. Nothing changes it."""

    scopes = {"GET": Scope.AUDIT_READ}
    filters = ("operator", "action", "object_kind", "object_ref", "moved")

    @extend_schema(
        operation_id="audit_list",
        summary="What operators did, newest first",
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("operator", str),
            OpenApiParameter("action", str, description="Such as create, change, cancel."),
            OpenApiParameter("object_kind", str, description="Such as run, definition, apikey."),
            OpenApiParameter("object_ref", str, description="The public id or key of an object."),
            OpenApiParameter("moved", bool, description="false: only what was refused."),
        ],
        responses=answers(page_of(OperatorActionSerializer), 400),
        tags=["Audit"],
    )
    def get(self, request: Request) -> Response:
        """A page of it."""
        check_query(request, self.filters)
        wanted: dict[str, Any] = {name: value for name, value in request.query_params.items() if name in self.filters}
        if "operator" in wanted:
            wanted["username"] = wanted.pop("operator")
        if wanted.get("moved", "true") not in ("true", "false"):
            raise Invalid("The query is not valid.", [fault("/moved", "bad_boolean", "true or false.")])
        if "moved" in wanted:
            wanted["moved"] = wanted["moved"] == "true"
        return self.page(OperatorAction.objects.filter(tenant_id=self.tenant_id, **wanted), OperatorActionSerializer)
