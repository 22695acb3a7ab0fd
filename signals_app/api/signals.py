"""Signals in REST: post one or many, list them, and see what became of one."""

import uuid

import structlog
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_object
from chimeway_py.errors import Invalid, fault
from signals_app.api.reading import read_batch, read_one, strip_index
from signals_app.api.schemas import (
    ReceiptSerializer,
    ReceiptsSerializer,
    SignalBatchSerializer,
    SignalInputSerializer,
    SignalSerializer,
    SignalVerdictsSerializer,
)
from signals_app.models import Signal
from signals_app.services import Receipt, accept_signals
from signals_app.verdict_reader import candidate_verdicts
from signals_app.verdicts import Verdict
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

_RECEIPT = ReceiptSerializer()  # to make its fields anew for each receipt takes longer than to store a signal


def receipt_answer(receipt: Receipt) -> Response:
    """202 for a signal that was accepted now, 200 for a duplicate."""
    structlog.contextvars.bind_contextvars(signal_id=str(receipt.public_id))
    return Response(_RECEIPT.to_representation(receipt), status=202 if receipt.status == "accepted" else 200)


class SignalsView(TenantView):
    """Post a signal; list signals."""

    scopes = {"GET": Scope.SIGNALS_READ, "POST": Scope.SIGNALS_WRITE}
    filters = ("name", "subject", "verdict", "source")

    @extend_schema(
        operation_id="signals_post",
        summary="Say that something happened",
        tags=["Signals"],
        parameters=[IDEMPOTENCY_KEY],
        request=SignalInputSerializer,
        responses=answers(ReceiptSerializer, 400, 409, 413, 415, status=202) | {200: answers(ReceiptSerializer)[200]},
    )
    def post(self, request: Request) -> Response:
        """Stored when the answer leaves: 202 with a receipt, or 200 with the first receipt for a duplicate."""
        signal = read_one(read_object(request))
        try:
            return receipt_answer(accept_signals(tenant_id=self.tenant_id, signals=[signal])[0])
        except Invalid as error:
            raise strip_index(error) from error

    @extend_schema(
        operation_id="signals_list",
        summary="Signals, newest first",
        tags=["Signals"],
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("name", str),
            OpenApiParameter("subject", str),
            OpenApiParameter("verdict", str, enum=Verdict.values),
            OpenApiParameter("source", str, description="api, inbox, or the key of a source."),
        ],
        responses=answers(page_of(SignalSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Without payloads: structure and verdicts only."""
        wanted = {name: request.query_params[name] for name in self.filters if name in request.query_params}
        if wanted.get("verdict", Verdict.MATCHED) not in Verdict.values:
            message = f"One of {', '.join(Verdict.values)}."
            raise Invalid("The query is not valid.", [fault("/verdict", "unknown_verdict", message)])
        return self.page(Signal.objects.filter(tenant_id=self.tenant_id, **wanted), SignalSerializer)


class SignalBatchView(TenantView):
    """Post many signals."""

    scopes = {"POST": Scope.SIGNALS_WRITE}

    @extend_schema(
        operation_id="signals_post_batch",
        summary="Say that many things happened",
        tags=["Signals"],
        parameters=[IDEMPOTENCY_KEY],
        request=SignalBatchSerializer,
        responses=answers(ReceiptsSerializer, 400, 409, 413, 415, status=202),
    )
    def post(self, request: Request) -> Response:
        """All or none: one fault, or one conflict, and nothing of the batch is written."""
        signals = read_batch(read_object(request))
        try:
            receipts = accept_signals(tenant_id=self.tenant_id, signals=signals)
        except Invalid as error:
            raise strip_index(error, "/signals") from error
        return Response(ReceiptsSerializer({"receipts": receipts}).data, status=202)


class SignalView(TenantView):
    """One signal."""

    scopes = {"GET": Scope.SIGNALS_READ}

    @extend_schema(
        operation_id="signals_get",
        summary="What became of a signal",
        tags=["Signals"],
        responses=answers(SignalVerdictsSerializer, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Its overall verdict, and the verdict for every run it might have concerned."""
        signal = self.one(Signal.objects.all(), public_id=public_id)
        signal.verdicts = candidate_verdicts(self.tenant_id, signal.id)  # type: ignore[attr-defined]
        return Response(SignalVerdictsSerializer(signal).data)
