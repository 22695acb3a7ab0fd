"""REST: stored templates."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input
from deliveries.api.template_schemas import (
    ChannelSerializer,
    PreviewSerializer,
    PutTemplateSerializer,
    RetireSerializer,
    SampleSerializer,
    TemplateListSerializer,
    TemplateSerializer,
    TemplateVersionSerializer,
    TestSendSerializer,
    TestSentSerializer,
)
from deliveries.models import TemplateVersion
from deliveries.querysets import shown_templates
from deliveries.services import put_template
from deliveries.services.template_retiring import retire_template
from deliveries.services.template_trying import Sample, preview_template, send_test
from deliveries.services.templates import publish_template
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
        return self.page(shown_templates(self.tenant_id), TemplateSerializer)


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
        found = list(shown_templates(self.tenant_id).filter(key=key).order_by("channel"))
        return Response({"items": TemplateSerializer(found, many=True).data}) if found else not_found()

    @extend_schema(
        operation_id="template_put",
        summary="Store a template",
        description="A new version, published at once unless `draft` is true. Definitions' own templates come first; a"
        " step looks here for a key that its definition lacks.",
        parameters=[IDEMPOTENCY_KEY],
        request=PutTemplateSerializer,
        responses=answers(TemplateSerializer, 400) | {201: TemplateSerializer},
        tags=["Templates"],
    )
    def put(self, request: Request, key: str) -> Response:
        """The template as it is now; 201 when it is new."""
        asked = read_input(PutTemplateSerializer, request)
        template, created = put_template(tenant_id=self.tenant_id, key=key, **asked)
        shown = self.one(shown_templates(self.tenant_id), id=template.pk)
        return Response(TemplateSerializer(shown).data, status=201 if created else 200)


class TemplateVersionsView(TenantView):
    """Every version of a template on one channel."""

    scopes = {"GET": Scope.DEFINITIONS_READ}
    filters = ("channel",)

    @extend_schema(
        operation_id="template_versions",
        summary="The versions of a template, newest first",
        parameters=[OpenApiParameter("channel", str, required=True), *PAGE_PARAMETERS],
        responses=answers(page_of(TemplateVersionSerializer), 400, 404),
        tags=["Templates"],
    )
    def get(self, request: Request, key: str) -> Response:
        """A page of them."""
        channel = request.query_params.get("channel", "")
        template = self.one(shown_templates(self.tenant_id), key=key, channel=channel)
        rows = TemplateVersion.objects.filter(tenant_id=self.tenant_id, template_id=template.pk)
        return self.page(rows, TemplateVersionSerializer)


class PublishTemplateView(TenantView):
    """Publishes a draft."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="template_publish",
        summary="Publish the draft of a template",
        description="Messages that were not yet tried get its words. It never changes again.",
        parameters=[IDEMPOTENCY_KEY],
        request=ChannelSerializer,
        responses=answers(TemplateSerializer, 400, 404, 409),
        tags=["Templates"],
    )
    def post(self, request: Request, key: str) -> Response:
        """The template as it is now."""
        asked = read_input(ChannelSerializer, request)
        template = publish_template(tenant_id=self.tenant_id, key=key, **asked)
        return Response(TemplateSerializer(self.one(shown_templates(self.tenant_id), id=template.pk)).data)


class RetireTemplateView(TenantView):
    """Retires a template."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="template_retire",
        summary="Retire a template that nobody uses",
        description="One that was never published is forgotten. Storing or publishing words brings the others back.",
        parameters=[IDEMPOTENCY_KEY],
        request=RetireSerializer,
        responses=answers(None, 400, 404, 409, status=204),
        tags=["Templates"],
    )
    def post(self, request: Request, key: str) -> Response:
        """Again, nothing happens. What published definitions use is a 409 that names them, unless it is forced."""
        retire_template(tenant_id=self.tenant_id, key=key, **read_input(RetireSerializer, request))
        return Response(status=204)


class PreviewTemplateView(TenantView):
    """Shows what a template says."""

    scopes = {"POST": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="template_preview",
        summary="What a template makes of sample data",
        parameters=[IDEMPOTENCY_KEY],
        request=SampleSerializer,
        responses=answers(PreviewSerializer, 400, 404),
        tags=["Templates"],
    )
    def post(self, request: Request, key: str) -> Response:
        """The message. Nothing is sent and nothing is stored."""
        channel, sample = _sample(read_input(SampleSerializer, request))
        shown = preview_template(tenant_id=self.tenant_id, key=key, channel=channel, sample=sample)
        return Response(PreviewSerializer(shown).data)


class SendTestView(TenantView):
    """Sends a template to whoever writes it."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="template_test",
        summary="Send a template to yourself",
        description="Starts a run that sends it the way of every message; its deliveries and trace tell how it went.",
        parameters=[IDEMPOTENCY_KEY],
        request=TestSendSerializer,
        responses=answers(TestSentSerializer, 400, 404, status=202),
        tags=["Templates"],
    )
    def post(self, request: Request, key: str) -> Response:
        """The run."""
        asked = read_input(TestSendSerializer, request)
        to = asked.pop("to")
        channel, sample = _sample(asked)
        started = send_test(tenant_id=self.tenant_id, key=key, channel=channel, to=to, sample=sample)
        return Response(TestSentSerializer(started).data, status=202)


def _sample(asked: dict[str, Any]) -> tuple[str, Sample]:
    return asked.pop("channel"), Sample(**asked)
