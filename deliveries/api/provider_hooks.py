"""Where providers tell what became of messages: no API key, their signature says who posts."""

import uuid
from typing import Any

import structlog
from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.bodies import read_body
from chimeway_py.api.openapi import answers
from chimeway_py.api.parsers import check_charset
from chimeway_py.api.views import BoundedView
from deliveries.providers.reports import Incoming
from deliveries.services.reports import receive_reports


class TakenSerializer(serializers.Serializer[Any]):
    """What became of the reports of one post."""

    accepted = serializers.IntegerField(help_text="Told now.")
    repeated = serializers.IntegerField(help_text="Known before.")
    late = serializers.IntegerField(help_text="Kept at the delivery, which had arrived before: nothing else changes.")
    ignored = serializers.IntegerField(help_text="About nothing that this provider was asked to carry.")


class ProviderHookView(BoundedView):
    """Where a provider posts its reports."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        operation_id="provider_hook_post",
        summary="Report what became of messages",
        tags=["Webhooks"],
        auth=[],
        request=OpenApiTypes.OBJECT,
        responses=answers(TakenSerializer, 400, 404, 413, 415, 503),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Verified before it is parsed. 503 while a message is just being sent: report it again."""
        structlog.contextvars.bind_contextvars(provider=str(public_id))
        posted = request._request
        check_charset(str(posted.headers.get("Content-Type", "")))
        body = read_body(posted)
        base = settings.PUBLIC_URL.rstrip("/") or f"{posted.scheme}://{posted.get_host()}"
        incoming = Incoming(posted, body, base + posted.get_full_path())
        return Response(TakenSerializer(receive_reports(provider=public_id, incoming=incoming)).data)
