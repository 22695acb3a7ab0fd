"""Ending, waking, pausing and resuming one run in REST."""

import uuid
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.revisions import IF_MATCH, etag, expected_revision
from workflows.api.run_asking import (
    CancelManySerializer,
    CancelSerializer,
    ControlVerdictSerializer,
    ControlVerdictsSerializer,
    PauseSerializer,
    ReasonSerializer,
)
from workflows.api.runs import TAG
from workflows.services.control import ControlVerdict, cancel_runs, compensate_runs, pause_runs, resume_runs, wake_runs
from workflows.states import Cause

F = TypeVar("F", bound=Callable[..., Any])


def asks(operation_id: str, summary: str, reads: type[StrictSerializer] = ReasonSerializer) -> Callable[[F], F]:
    """How a call that asks something of one run is described."""
    return extend_schema(
        operation_id=operation_id,
        summary=summary,
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=reads,
        responses=answers(ControlVerdictSerializer, 400, 404, 409, 412),
    )


class ControlView(TenantView):
    """Asks a service to do something to one run, in the name of the caller's key."""

    scopes = {"POST": Scope.RUNS_WRITE}
    heeds_if_match = True
    reads: ClassVar[type[StrictSerializer]] = ReasonSerializer

    def ask(self, request: Request, control: Callable[..., list[ControlVerdict]], public_id: uuid.UUID) -> Response:
        """What the service answered. Raises `RunNotFound` and `RevisionMismatch`, and then nothing was done."""
        revision = expected_revision(request)
        [verdict] = control(
            tenant_id=self.tenant_id,
            public_ids=[public_id],
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            expected={} if revision is None else {public_id: revision},
            **self.said(request),
        )
        return Response(ControlVerdictSerializer(verdict).data, headers={"ETag": etag(verdict.revision)})

    def said(self, request: Request) -> dict[str, Any]:
        """What the service is told besides which run it is and who asks."""
        return read_input(self.reads, request)


class CancelRunView(ControlView):
    """End a run."""

    reads = CancelSerializer

    @asks("runs_cancel", "End a run, whatever it waits for", CancelSerializer)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Done when the answer leaves. A run that has ended is refused and left as it is; asking twice is harmless."""
        return self.ask(request, cancel_runs, public_id)


class CompensateRunView(ControlView):
    """Undo a run."""

    @asks("runs_compensate", "Undo what a run did that has ended, and try failed compensations again")
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The answer names what is owed now. Refused for a run that has not ended, and when nothing is left to undo."""
        return self.ask(request, compensate_runs, public_id)


class WakeRunView(ControlView):
    """End a run's wait."""

    @asks("runs_wake", "End the open wait as though its time had come")
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run goes on where its timer would have led it. One that does not wait is refused and left as it is."""
        return self.ask(request, wake_runs, public_id)


class PauseRunView(ControlView):
    """Hold a run."""

    reads = PauseSerializer

    @asks("runs_pause", "Hold a run where it stands", PauseSerializer)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Nothing is advanced and no work is begun until `until`, or until it is resumed. Signals are kept."""
        return self.ask(request, pause_runs, public_id)


class ResumeRunView(ControlView):
    """Let a paused run go on."""

    @asks("runs_resume", "Let a paused run go on")
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Signals that came meanwhile are used first; a timer that is overdue fires after them."""
        return self.ask(request, resume_runs, public_id)


class CancelRunsView(TenantView):
    """End many runs."""

    scopes = {"POST": Scope.RUNS_WRITE}

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
        asked = read_input(CancelManySerializer, request)
        verdicts = cancel_runs(
            tenant_id=self.tenant_id,
            public_ids=list(dict.fromkeys(asked["runs"])),
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            reason=asked["reason"],
            compensate=asked["compensate"],
        )
        return Response(ControlVerdictsSerializer({"runs": verdicts}).data)
