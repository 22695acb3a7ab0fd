"""REST: secrets that steps name. Their values go in and never come out again."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import StrictSerializer, read_input
from tenants.api.views import TenantView
from tenants.models import Secret
from tenants.models.api_key import Scope
from tenants.services.secrets import delete_secret, put_secret


class SecretValueSerializer(serializers.Serializer[Any]):
    """A live value: when it was stored and when it ends. Never the value."""

    created_at = serializers.DateTimeField()
    not_after = serializers.DateTimeField(allow_null=True)


class NamedSecretSerializer(serializers.ModelSerializer[Secret]):
    """A secret, without its values."""

    id = serializers.UUIDField(source="public_id")
    values = SecretValueSerializer(source="entries", many=True, help_text="Newest first.")

    class Meta:
        model = Secret
        fields = ["id", "key", "values", "created_at", "updated_at"]


class MadeSecretSerializer(NamedSecretSerializer):
    """A secret, and the value that was made for it."""

    value = serializers.CharField(
        required=False, help_text="Shown this once, and in no replay; empty when you brought the value."
    )

    class Meta(NamedSecretSerializer.Meta):
        fields = [*NamedSecretSerializer.Meta.fields, "value"]


class PutSecretSerializer(StrictSerializer):
    """A value for a secret."""

    value = serializers.CharField(
        default="", max_length=4096, trim_whitespace=False, help_text="Left out, 256 random bits are made: `whsec_…`."
    )
    overlap_seconds = serializers.IntegerField(
        default=0, min_value=0, max_value=30 * 86400, help_text="How long the values of before still count."
    )


class SecretListView(TenantView):
    """Secrets, newest first."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="secret_list",
        summary="Secrets that steps may name",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(NamedSecretSerializer), 400),
        tags=["Secrets"],
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(self._rows(), NamedSecretSerializer)

    def _rows(self) -> QuerySet[Secret]:
        return Secret.objects.filter(tenant_id=self.tenant_id)


class SecretView(TenantView):
    """One secret."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE, "DELETE": Scope.DEFINITIONS_WRITE}
    shown_once = ("value",)

    @extend_schema(
        operation_id="secret_get", summary="One secret", responses=answers(NamedSecretSerializer, 404), tags=["Secrets"]
    )
    def get(self, request: Request, key: str) -> Response:
        """When its values were stored and when they end."""
        return Response(NamedSecretSerializer(self.one(Secret.objects.all(), key=key)).data)

    @extend_schema(
        operation_id="secret_put",
        summary="Store a secret, or give it a new value",
        parameters=[IDEMPOTENCY_KEY],
        request=PutSecretSerializer,
        responses=answers(MadeSecretSerializer, 400, 409),
        tags=["Secrets"],
    )
    def put(self, request: Request, key: str) -> Response:
        """The secret; with its value when it was made here."""
        asked = read_input(PutSecretSerializer, request)
        overlap = timedelta(seconds=asked["overlap_seconds"])
        stored = put_secret(tenant_id=self.tenant_id, key=key, value=asked["value"], overlap=overlap)
        return Response({**NamedSecretSerializer(stored.secret).data, "value": stored.made})

    @extend_schema(
        operation_id="secret_delete",
        summary="Forget a secret",
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, status=204),
        tags=["Secrets"],
    )
    def delete(self, request: Request, key: str) -> Response:
        """Steps that name it fail from now on."""
        delete_secret(tenant_id=self.tenant_id, key=key)
        return Response(status=204)
