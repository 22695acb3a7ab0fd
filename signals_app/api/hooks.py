"""Signed webhooks: no API key, the signature over the raw bytes says who posts."""

import uuid

import structlog
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.bodies import read_body
from chimeway_py.api.openapi import answers
from chimeway_py.api.views import BoundedView
from signals_app.api.schemas import ReceiptSerializer
from signals_app.api.signals import receipt_answer
from signals_app.services.receive import receive_webhook


class HookView(BoundedView):
    """Where upstream systems post what they post today."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        operation_id="hooks_post",
        summary="Post a signed webhook",
        tags=["Webhooks"],
        auth=[],
        request=OpenApiTypes.OBJECT,
        responses=answers(ReceiptSerializer, 400, 404, 409, 413, 415, status=202)
        | {200: answers(ReceiptSerializer)[200]},
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Verified before it is parsed. 202 with a receipt; 200 with the first receipt for a replay."""
        structlog.contextvars.bind_contextvars(source=str(public_id))
        body = read_body(request._request)
        return receipt_answer(receive_webhook(source_public_id=public_id, headers=request.headers, body=body))
