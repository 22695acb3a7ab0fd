"""REST: stored templates."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from deliveries.api.serializers import PutTemplateSerializer, TemplateListSerializer, TemplateSerializer
from deliveries.models import Template
from deliveries.services import put_template
from tenants.api.views import TenantView, not_found
from tenants.models.api_key import Scope


class TemplateListView(TenantView):
    """Stored templates, newest first."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="template_list",
        summary="Stored templates",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(TemplateSerializer), 400),
        tags=["Templates"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(Template.objects.filter(tenant_id=self.tenant_id), TemplateSerializer)


class TemplateView(TenantView):
    """The template of one key, on each channel."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="template_get",
        summary="One template on every channel",
        responses=answers(TemplateListSerializer, 404),
        tags=["Templates"],
    )
    def get(self, request: Request, key: str) -> Response:
        """The sources."""
        found = list(Template.objects.filter(tenant_id=self.tenant_id, key=key).order_by("channel"))
        return Response({"items": TemplateSerializer(found, many=True).data}) if found else not_found()

    @extend_schema(
        operation_id="template_put",
        summary="Store a template",
        description="Definitions' own templates come first; a step looks here for a key that its definition lacks.",
        parameters=[IDEMPOTENCY_KEY],
        request=PutTemplateSerializer,
        responses=answers(TemplateSerializer, 400) | {201: TemplateSerializer},
        tags=["Templates"],
    )
    def put(self, request: Request, key: str) -> Response:
        """The template as it is now; 201 when it is new."""
        asked = PutTemplateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        template, created = put_template(tenant_id=self.tenant_id, key=key, **asked.validated_data)
        return Response(TemplateSerializer(template).data, status=201 if created else 200)
