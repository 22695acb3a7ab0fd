"""Webhook sources in REST. A secret is shown once: when it is made."""

import hashlib
import uuid
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import StrictSerializer, read_input
from signals_app.models import Scheme, SignalSource
from signals_app.services import sources
from signals_app.services.secrets import opened_secrets
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

_MAPPING_HELP = (
    "Places of name, subject, correlation, external_id and occurred_at: a dotted path, header:…, or {const: …}."
)


class SecretSerializer(serializers.Serializer[Any]):
    """A secret, without the secret."""

    fingerprint = serializers.CharField(help_text="First 12 digits of its SHA-256.")
    not_after = serializers.DateTimeField(allow_null=True, help_text="When it ends; null for the newest.")


class SourceSerializer(serializers.ModelSerializer[SignalSource]):
    """A source, and what was refused last: the part of the signature or body, never a value."""

    id = serializers.UUIDField(source="public_id")
    path = serializers.SerializerMethodField(help_text="Where the sender posts to.")
    secrets = serializers.SerializerMethodField()
    mapping = serializers.DictField()
    name_map = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = SignalSource
        fields = [
            "id",
            "key",
            "name",
            "scheme",
            "path",
            "mapping",
            "name_map",
            "enabled",
            "secrets",
            "created_at",
            "updated_at",
            "rejected_count",
            "last_rejected_at",
            "last_rejected_part",
            "last_rejected_reason",
        ]

    def get_path(self, row: SignalSource) -> str:
        """The address of the source."""
        return f"/hooks/{row.public_id}"

    @extend_schema_field(SecretSerializer(many=True))
    def get_secrets(self, row: SignalSource) -> list[dict[str, Any]]:
        """Each secret by its fingerprint."""
        return [
            {
                "fingerprint": hashlib.sha256(entry["secret"].encode()).hexdigest()[:12],
                "not_after": entry["not_after"],
            }
            for entry in opened_secrets(row)
        ]


class IssuedSourceSerializer(SourceSerializer):
    """A source with the secret it was just given."""

    secret = serializers.CharField(required=False, help_text="Shown once, in no replay. Configure it at the sender.")

    class Meta(SourceSerializer.Meta):
        fields = [*SourceSerializer.Meta.fields, "secret"]


class SourceInputSerializer(StrictSerializer):
    """A new source."""

    key = serializers.CharField(max_length=50, help_text="Lower-case letters, digits, - and _; signals name it.")
    name = serializers.CharField(max_length=100, required=False)
    scheme = serializers.ChoiceField(choices=Scheme.choices)
    mapping = serializers.DictField(help_text=_MAPPING_HELP)
    name_map = serializers.DictField(child=serializers.CharField(), required=False, help_text="Their names to yours.")
    secret = serializers.CharField(required=False, help_text="The sender's, if it makes one; else one is made.")


class SourceChangeSerializer(StrictSerializer):
    """What of a source can change."""

    name = serializers.CharField(max_length=100, required=False)
    mapping = serializers.DictField(required=False, help_text=_MAPPING_HELP)
    name_map = serializers.DictField(child=serializers.CharField(), required=False)
    enabled = serializers.BooleanField(required=False)


class RotationSerializer(StrictSerializer):
    """A rotation: the secrets there are end after the overlap."""

    overlap_seconds = serializers.IntegerField(min_value=0, max_value=30 * 86400, default=86400)
    secret = serializers.CharField(required=False, help_text="The sender's, if it makes one; else one is made.")


def _issued(issued: sources.IssuedSource) -> Response:
    issued.row.secret = issued.secret  # type: ignore[attr-defined]
    return Response(IssuedSourceSerializer(issued.row).data, status=201)


class SourcesView(TenantView):
    """Create a source; list sources."""

    scopes = {"GET": Scope.SOURCES_READ, "POST": Scope.SOURCES_WRITE}
    shown_once = ("secret",)

    @extend_schema(
        operation_id="sources_create",
        summary="Let an upstream system post signed webhooks",
        tags=["Sources"],
        parameters=[IDEMPOTENCY_KEY],
        request=SourceInputSerializer,
        responses=answers(IssuedSourceSerializer, 400, 409, status=201),
    )
    def post(self, request: Request) -> Response:
        """The source with its secret, which is shown once."""
        return _issued(sources.create_source(tenant_id=self.tenant_id, **read_input(SourceInputSerializer, request)))

    @extend_schema(
        operation_id="sources_list",
        summary="Sources, newest first",
        tags=["Sources"],
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(SourceSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Without secrets."""
        return self.page(SignalSource.objects.filter(tenant_id=self.tenant_id), SourceSerializer)


class SourceView(TenantView):
    """One source."""

    scopes = {"GET": Scope.SOURCES_READ, "PATCH": Scope.SOURCES_WRITE, "DELETE": Scope.SOURCES_WRITE}

    @extend_schema(
        operation_id="sources_get",
        summary="A source, and what it refused last",
        tags=["Sources"],
        responses=answers(SourceSerializer, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Without secrets."""
        return Response(SourceSerializer(self.one(SignalSource.objects.all(), public_id=public_id)).data)

    @extend_schema(
        operation_id="sources_change",
        summary="Change a source",
        tags=["Sources"],
        parameters=[IDEMPOTENCY_KEY],
        request=SourceChangeSerializer,
        responses=answers(SourceSerializer, 400, 404, 409),
    )
    def patch(self, request: Request, public_id: uuid.UUID) -> Response:
        """Its name, mapping, name map, or whether it is enabled."""
        changes = read_input(SourceChangeSerializer, request)
        row = sources.change_source(tenant_id=self.tenant_id, public_id=public_id, changes=changes)
        return Response(SourceSerializer(row).data)

    @extend_schema(
        operation_id="sources_delete",
        summary="Forget a source",
        tags=["Sources"],
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, 409, status=204),
    )
    def delete(self, request: Request, public_id: uuid.UUID) -> Response:
        """Its signals stay."""
        sources.delete_source(tenant_id=self.tenant_id, public_id=public_id)
        return Response(status=204)


class RotateSecretView(TenantView):
    """Rotate the secret of a source."""

    scopes = {"POST": Scope.SOURCES_WRITE}
    shown_once = ("secret",)

    @extend_schema(
        operation_id="sources_rotate",
        summary="Give a source a new secret",
        tags=["Sources"],
        parameters=[IDEMPOTENCY_KEY],
        request=RotationSerializer,
        responses=answers(IssuedSourceSerializer, 400, 404, 409, status=201),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Both secrets are live during the overlap, so that nothing is refused while the sender changes over."""
        given = read_input(RotationSerializer, request)
        overlap = timedelta(seconds=given.pop("overlap_seconds"))
        return _issued(sources.rotate_secret(tenant_id=self.tenant_id, public_id=public_id, overlap=overlap, **given))
