"""REST: providers, who carry messages out. Their credentials go in and never come out again."""

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import StrictSerializer, read_input
from deliveries.channels.registry import channels
from deliveries.models import Provider
from deliveries.providers.registry import provider_kinds
from deliveries.services.provider_trying import trial_of, try_provider
from deliveries.services.providers import Rate, delete_provider, put_provider
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.states import Cause


class RateSerializer(StrictSerializer):
    """At most so many messages in so many seconds."""

    count = serializers.IntegerField(min_value=1)
    seconds = serializers.IntegerField(min_value=1, default=1)


class ProviderSerializer(serializers.ModelSerializer[Provider]):
    """A provider, without what it was told in confidence."""

    id = serializers.UUIDField(source="public_id")
    credentials = serializers.ListField(
        source="credential_names", child=serializers.CharField(), help_text="Which there are, never what they are."
    )
    rate = serializers.SerializerMethodField()

    class Meta:
        model = Provider
        fields = [
            "id", "key", "channel", "kind", "position", "enabled", "config", "credentials", "rate",
            "failures", "unhealthy_until", "last_error", "last_failed_at", "created_at", "updated_at",
        ]  # fmt: skip

    def get_rate(self, row: Provider) -> dict[str, int] | None:
        """How many messages it is given in how many seconds; null without a limit."""
        return {"count": row.rate_count, "seconds": row.rate_seconds} if row.rate_count else None


class PutProviderSerializer(StrictSerializer):
    """Who carries messages out, and how."""

    kind = serializers.ChoiceField(choices=sorted(provider_kinds()))
    config = serializers.DictField(default=dict)
    credentials = serializers.DictField(
        child=serializers.CharField(max_length=4096, trim_whitespace=False),
        required=False,
        help_text="They replace those of before; left out, those stay. They are not shown again.",
    )
    position = serializers.IntegerField(default=1, help_text="The lowest of a channel is asked first.")
    enabled = serializers.BooleanField(default=True)
    rate = RateSerializer(default=None, allow_null=True)


class TestProviderSerializer(StrictSerializer):
    """Whom a test goes to."""

    to = serializers.JSONField(
        default=None,
        help_text="An address of the channel; for `push` a subscription. A chat that leads to one place needs none.",
    )


class ProviderTestSerializer(serializers.Serializer[Any]):
    """A test of a provider, and what it answered."""

    provider = serializers.CharField(help_text="Its key.")
    run_id = serializers.UUIDField(help_text="It names the test, too.")
    delivery_id = serializers.UUIDField(allow_null=True)
    asked_at = serializers.DateTimeField()
    is_settled = serializers.BooleanField(help_text="Whether the answer is there.")
    outcome = serializers.CharField(help_text="`delivered`, or another word of outcome; empty until then.")
    error = serializers.CharField(help_text="The code of the provider's answer, such as `http 401`.")
    provider_ref = serializers.CharField(help_text="The provider's name for the message.")
    sentence = serializers.CharField(help_text="The same for people.")


class ProviderListView(TenantView):
    """Providers, newest first."""

    scopes = {"GET": Scope.DEFINITIONS_READ}
    filters = ("channel",)

    @extend_schema(
        operation_id="provider_list",
        summary="Providers",
        parameters=[OpenApiParameter("channel", str, enum=sorted(channels())), *PAGE_PARAMETERS],
        responses=answers(page_of(ProviderSerializer), 400),
        tags=["Providers"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        rows = Provider.objects.filter(tenant_id=self.tenant_id)
        channel = request.query_params.get("channel")
        return self.page(rows.filter(channel=channel) if channel else rows, ProviderSerializer)


class ProviderView(TenantView):
    """One provider."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE, "DELETE": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="provider_get",
        summary="One provider, and how it does",
        responses=answers(ProviderSerializer, 404),
        tags=["Providers"],
    )
    def get(self, request: Request, key: str) -> Response:
        """Its configuration and its health."""
        return Response(ProviderSerializer(self.one(Provider.objects.all(), key=key)).data)

    @extend_schema(
        operation_id="provider_put",
        summary="Store a provider",
        parameters=[IDEMPOTENCY_KEY],
        request=PutProviderSerializer,
        responses=answers(ProviderSerializer, 400) | {201: ProviderSerializer},
        tags=["Providers"],
    )
    def put(self, request: Request, key: str) -> Response:
        """The provider as it is now; 201 when it is new."""
        asked: dict[str, Any] = read_input(PutProviderSerializer, request)
        rate = asked.pop("rate")
        row, created = put_provider(tenant_id=self.tenant_id, key=key, rate=Rate(**rate) if rate else None, **asked)
        return Response(ProviderSerializer(row).data, status=201 if created else 200)

    @extend_schema(
        operation_id="provider_delete",
        summary="Forget a provider",
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, status=204),
        tags=["Providers"],
    )
    def delete(self, request: Request, key: str) -> Response:
        """Messages go through the others from now on."""
        delete_provider(tenant_id=self.tenant_id, key=key)
        return Response(status=204)


class TestProviderView(TenantView):
    """Tries a provider."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="provider_test",
        summary="Send a test through a provider",
        description="Starts a run that sends it once, through this provider alone, the way of every message.",
        parameters=[IDEMPOTENCY_KEY],
        request=TestProviderSerializer,
        responses=answers(ProviderTestSerializer, 400, 404, 409, status=202),
        tags=["Providers"],
    )
    def post(self, request: Request, key: str) -> Response:
        """The test; its answer comes when a worker has sent it."""
        to, by = read_input(TestProviderSerializer, request)["to"], caller_of(request).prefix
        started = try_provider(tenant_id=self.tenant_id, key=key, to=to, cause=Cause.API, cause_ref=by)
        trial = trial_of(tenant_id=self.tenant_id, run=started.public_id)
        return Response(ProviderTestSerializer(trial).data, status=202)


class ProviderTestView(TenantView):
    """One test of a provider."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="provider_test_get",
        summary="What a provider answered to a test",
        responses=answers(ProviderTestSerializer, 404),
        tags=["Providers"],
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """The answer, once there is one."""
        return Response(ProviderTestSerializer(trial_of(tenant_id=self.tenant_id, run=public_id)).data)
