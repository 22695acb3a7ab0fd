"""Heads of traces in REST: what was signed, to be kept elsewhere, and the keys that prove it."""

import base64
import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.run_schemas import HexField
from workflows.heads.keys import public_keys
from workflows.heads.reading import head_document
from workflows.models import TraceHead

TAG = ["evidence"]


class HeadSerializer(serializers.ModelSerializer[TraceHead]):
    """A signed head, without the runs that it tells of."""

    id = serializers.UUIDField(source="public_id")
    previous = HexField(help_text="The digest of the head before; zeros for the first.")
    digest = HexField(help_text="SHA-256 of the document.")
    signature = HexField(help_text="Ed25519, of the digest.")

    class Meta:
        model = TraceHead
        fields = ["id", "number", "signed_at", "runs", "pruned", "previous", "digest", "signature", "key"]


class HeadDocumentSerializer(serializers.Serializer[Any]):
    """A head, whole. `runs` and `pruned` hold [id of the run, seq of its last line, hash of that line]."""

    format = serializers.IntegerField()
    tenant = serializers.UUIDField(help_text="The id of the tenant.")
    number = serializers.IntegerField()
    previous = serializers.CharField()
    signed_at = serializers.CharField()
    runs = serializers.ListField(child=serializers.ListField())
    pruned = serializers.ListField(child=serializers.ListField())
    digest = serializers.CharField(help_text="SHA-256 of all members above: keys sorted, no spaces, ASCII.")
    signature = serializers.CharField(help_text="Ed25519, of the 32 bytes of the digest.")
    key = serializers.CharField()


class HeadKeySerializer(serializers.Serializer[Any]):
    """A public key."""

    id = serializers.CharField(help_text="As heads name it.")
    algorithm = serializers.CharField()
    public_key = serializers.CharField(help_text="Base64 of its 32 bytes.")


class HeadKeysSerializer(serializers.Serializer[Any]):
    """Every key that signs or has signed heads, the one that signs now first."""

    keys = HeadKeySerializer(many=True)


class HeadsView(TenantView):
    """Signed heads."""

    scopes = {"GET": Scope.RUNS_READ}
    page_by = "-id"

    @extend_schema(
        operation_id="heads_list",
        summary="Signed heads of traces, newest first",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(HeadSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Without what they tell of."""
        return self.page(TraceHead.objects.filter(tenant_id=self.tenant_id).defer("leaves"), HeadSerializer)


class HeadView(TenantView):
    """One signed head."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="heads_get",
        summary="A head as it was signed: a line of the file that can be checked later",
        tags=TAG,
        responses=answers(HeadDocumentSerializer, 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """With every run that it tells of."""
        check_query(request, ())
        return Response(head_document(tenant_id=self.tenant_id, public_id=public_id))


class HeadKeysView(TenantView):
    """What proves a signature."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="heads_keys",
        summary="The public keys that prove heads",
        tags=TAG,
        responses=answers(HeadKeysSerializer, 400),
    )
    def get(self, request: Request) -> Response:
        """Keep them where you keep the heads."""
        check_query(request, ())
        found = [
            {"id": name, "algorithm": "Ed25519", "public_key": base64.b64encode(key).decode()}
            for name, key in public_keys().items()
        ]
        return Response({"keys": found})
