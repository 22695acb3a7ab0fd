"""Ending and waking runs in REST."""

import uuid
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.run_asking import (
    CancelManySerializer,
    ControlVerdictSerializer,
    ControlVerdictsSerializer,
    ReasonSerializer,
)
from workflows.api.runs import TAG
from workflows.services.control import ControlVerdict, cancel_runs, wake_runs
from workflows.states import Cause

Control = Callable[..., list[ControlVerdict]]


class ControlView(TenantView):
    """Asks the services to do something to runs, in the name of the caller's key."""

    scopes = {"POST": Scope.RUNS_WRITE}
    reads: ClassVar[type[serializers.Serializer[Any]]] = ReasonSerializer

    def ask(self, request: Request, control: Control, public_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Any]:
        """What the service answered, by run. Raises `RunNotFound`, and then nothing was done."""
        verdicts = control(
            tenant_id=self.tenant_id,
            public_ids=public_ids,
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            reason=read_input(self.reads, request)["reason"],
        )
        return {verdict.public_id: verdict for verdict in verdicts}


class CancelRunView(ControlView):
    """End a run."""

    @extend_schema(
        operation_id="runs_cancel",
        summary="End a run, whatever it waits for",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonSerializer,
        responses=answers(ControlVerdictSerializer, 400, 404, 409),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Done when the answer leaves. A run that has ended is refused and left as it is; asking twice is harmless."""
        verdict = self.ask(request, cancel_runs, [public_id])[public_id]
        return Response(ControlVerdictSerializer(verdict).data)


class WakeRunView(ControlView):
    """End a run's wait."""

    @extend_schema(
        operation_id="runs_wake",
        summary="End the open wait as though its time had come",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=ReasonSerializer,
        responses=answers(ControlVerdictSerializer, 400, 404, 409),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run goes on where its timer would have led it. One that does not wait is refused and left as it is."""
        verdict = self.ask(request, wake_runs, [public_id])[public_id]
        return Response(ControlVerdictSerializer(verdict).data)


class CancelRunsView(ControlView):
    """End many runs."""

    reads = CancelManySerializer

    @extend_schema(
        operation_id="runs_cancel_many",
        summary="End many runs",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=CancelManySerializer,
        responses=answers(ControlVerdictsSerializer, 400, 404, 409),
    )
    def post(self, request: Request) -> Response:
        """All in one transaction, with a verdict for each. If one does not exist, nothing is done."""
        asked = list(dict.fromkeys(read_input(CancelManySerializer, request)["runs"]))
        verdicts = self.ask(request, cancel_runs, asked)
        return Response(ControlVerdictsSerializer({"runs": [verdicts[public_id] for public_id in asked]}).data)
