"""Deciding approvals in REST."""

import uuid
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY
from chimeway_py.api.serializers import StrictSerializer, read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.revisions import IF_MATCH, etag, expected_revision
from workflows.api.run_asking import ControlVerdictSerializer
from workflows.api.run_control import ANSWERS
from workflows.api.runs import TAG
from workflows.services.approvals import LONGEST_COMMENT, Decision, approve_runs, reject_runs
from workflows.services.control import ControlVerdict
from workflows.states import Cause


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Yes",
            value={"actor": "ada", "comment": "Checked with the customer.", "step": "sign_off"},
            request_only=True,
        )
    ]
)
class DecisionSerializer(StrictSerializer):
    """Who decides, and what else they say; comment and metadata are kept as a payload, apart from the trace."""

    actor = serializers.CharField(max_length=200, help_text="Who decides, in the words of the step's `actors`.")
    comment = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST_COMMENT)
    metadata = serializers.DictField(required=False, default=dict, help_text="At most 8 kB.")
    step = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="The approval that is meant."
    )
    visit = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=1, help_text="Its visit, in a loop."
    )


class DecisionView(TenantView):
    """Decides the open approval of one run."""

    scopes = {"POST": Scope.RUNS_WRITE}

    def decide(self, request: Request, verb: Callable[..., list[ControlVerdict]], public_id: uuid.UUID) -> Response:
        """What the service answered. Raises `RunNotFound`, `Invalid` and `RevisionMismatch`: nothing was done."""
        revision = expected_revision(request)
        said: dict[str, Any] = read_input(DecisionSerializer, request)
        [verdict] = verb(
            tenant_id=self.tenant_id,
            public_ids=[public_id],
            decision=Decision(**said),
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            expected={} if revision is None else {public_id: revision},
        )
        return Response(ControlVerdictSerializer(verdict).data, headers={"ETag": etag(verdict.revision)})


class ApproveRunView(DecisionView):
    """Say yes."""

    @extend_schema(
        operation_id="runs_approve",
        summary="Say yes to the open approval",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=DecisionSerializer,
        responses=ANSWERS,
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run goes where yes leads. Refused when none is open, when another is meant, or for another actor."""
        return self.decide(request, approve_runs, public_id)


class RejectRunView(DecisionView):
    """Say no."""

    @extend_schema(
        operation_id="runs_reject",
        summary="Say no to the open approval",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=DecisionSerializer,
        responses=ANSWERS,
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run goes where no leads; refused as a yes is."""
        return self.decide(request, reject_runs, public_id)
