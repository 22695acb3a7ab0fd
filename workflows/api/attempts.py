"""Attempts of workers that are not ours, in REST: begun, kept, ended; and what was tried elsewhere, recorded."""

import uuid
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.errors import answer_error
from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import StrictSerializer, read_input
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.attempt_schemas import (
    BeginSerializer,
    CompleteSerializer,
    EndedSerializer,
    FailSerializer,
    HeldSerializer,
    PastSerializer,
    RenewSerializer,
)
from workflows.api.run_schemas import AttemptSerializer
from workflows.api.runs import TAG, run_of
from workflows.api.visits import take_key
from workflows.errors import StaleAttempt
from workflows.models import Attempt
from workflows.services.attempts import PastAttempt, record_attempt
from workflows.services.attempts_by_hand import (
    Token,
    begin_by_hand,
    complete_by_hand,
    fail_by_hand,
    renew_by_hand,
)


class AttemptView(TenantView):
    """Asks for something about one attempt at a step of the run."""

    scopes = {"POST": Scope.RUNS_WRITE}

    def asked(self, request: Request, public_id: uuid.UUID, reads: type[StrictSerializer]) -> dict[str, Any]:
        """What is asked, with the `key` of the visit. Raises `RunNotFound` and `StepRunNotFound`."""
        said = read_input(reads, request)
        return {"key": take_key(self.tenant_id, public_id, said), **said}

    def held(
        self, request: Request, public_id: uuid.UUID, reads: type[StrictSerializer], verb: Callable[..., Any]
    ) -> Any:
        """What `verb` does with the attempt that the request names."""
        said = self.asked(request, public_id, reads)
        token = Token(said.pop("key"), said.pop("fence"), said.pop("worker"))
        return verb(tenant_id=self.tenant_id, token=token, **said)

    def end(
        self, request: Request, public_id: uuid.UUID, reads: type[StrictSerializer], verb: Callable[..., Any]
    ) -> Response:
        """The answer to an end. A worker that comes too late is refused, and the trace keeps that it came."""
        try:
            return Response(EndedSerializer(self.held(request, public_id, reads, verb)).data)
        except StaleAttempt as error:
            return answer_error(error, {})  # returned and not raised: what was noted is committed


class AttemptsView(AttemptView):
    """The attempts of a run."""

    scopes = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_WRITE}
    page_by = "id"

    @extend_schema(
        operation_id="runs_attempts",
        summary="Every try at the work of a run, oldest first",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(AttemptSerializer), 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Their outcomes and errors."""
        run = run_of(self.tenant_id, public_id)
        mine = Attempt.objects.filter(tenant_id=self.tenant_id, step_run__run_id=run.pk).select_related("step_run")
        return self.page(mine, AttemptSerializer)

    @extend_schema(
        operation_id="attempts_begin",
        summary="Begin an attempt at a step that is due, as a worker of your own",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=BeginSerializer,
        responses=answers(HeldSerializer, 400, 404, 409, status=201),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """It is the worker's until `lease_until`. Refused when the work has ended, is held, not due, or somebody's."""
        said = self.asked(request, public_id, BeginSerializer)
        return Response(HeldSerializer(begin_by_hand(tenant_id=self.tenant_id, **said)).data, status=201)


class RenewAttemptView(AttemptView):
    """Keep one."""

    @extend_schema(
        operation_id="attempts_renew",
        summary="Keep an attempt that is under way",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=RenewSerializer,
        responses=answers(HeldSerializer, 400, 404, 409),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """For another length of a lease from now on. A worker that lost it is told so, and stops."""
        return Response(HeldSerializer(self.held(request, public_id, RenewSerializer, renew_by_hand)).data)


class CompleteAttemptView(AttemptView):
    """End one."""

    @extend_schema(
        operation_id="attempts_complete",
        summary="End an attempt, and let the run go on",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=CompleteSerializer,
        responses=answers(EndedSerializer, 400, 404, 409),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """With a word of the step's kind. A worker that lost its claim changes nothing."""
        return self.end(request, public_id, CompleteSerializer, complete_by_hand)


class FailAttemptView(AttemptView):
    """End one that failed."""

    @extend_schema(
        operation_id="attempts_fail",
        summary="End an attempt that failed; the step says whether another comes",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=FailSerializer,
        responses=answers(EndedSerializer, 400, 404, 409),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """`retry_at` is when the next try is due. A worker that lost its claim changes nothing."""
        return self.end(request, public_id, FailSerializer, fail_by_hand)


class RecordAttemptView(AttemptView):
    """Record one."""

    @extend_schema(
        operation_id="attempts_record",
        summary="Record a finished attempt that was made elsewhere",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=PastSerializer,
        responses=answers(AttemptSerializer, 400, 404, 409, status=201),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """Under the next number; it settles nothing. Recording the same again answers with what is stored."""
        said = self.asked(request, public_id, PastSerializer)
        key = said.pop("key")
        recorded = record_attempt(tenant_id=self.tenant_id, key=key, attempt=PastAttempt(**said))
        return Response(AttemptSerializer(recorded).data, status=201)
