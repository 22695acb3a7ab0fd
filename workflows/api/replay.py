"""Replaying a run in REST."""

import uuid

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.revisions import IF_MATCH, expected_revision
from workflows.api.run_asking import ReasonSerializer, StartedRunSerializer
from workflows.api.runs import TAG
from workflows.services.replay import replay_run
from workflows.states import Cause


class ExactBoolean(serializers.BooleanField):
    """True or false and nothing that is like it: what it allows cannot be undone."""

    def to_internal_value(self, data: object) -> bool:
        """The boolean as it was sent."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class HowSerializer(StrictSerializer):
    """On which version, and in spite of what."""

    version = serializers.ChoiceField(
        choices=["same", "latest"], required=False, default="same", help_text="The run's own version, or the latest."
    )
    allow_irreversible = ExactBoolean(
        required=False, default=False, help_text="Replay although steps that cannot be undone may have taken effect."
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "On the corrected version", value={"version": "latest", "reason": "template fixed"}, request_only=True
        )
    ]
)
class ReplaySerializer(HowSerializer, ReasonSerializer):
    """How to replay a run."""

    idempotency_key = serializers.CharField(
        required=False, max_length=255, help_text="The same key again answers with the run it started."
    )


class ReplayRunView(TenantView):
    """Start the journey of a run once more."""

    scopes = {"POST": Scope.RUNS_WRITE}
    heeds_if_match = True

    @extend_schema(
        operation_id="runs_replay",
        summary="Start the journey of an ended run once more, as a new run",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=ReplaySerializer,
        responses=answers(StartedRunSerializer, 400, 404, 409, 412, status=201)
        | {200: answers(StartedRunSerializer)[200]},
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """A run with the same subject, correlation and data. Refused after irreversible steps unless it is allowed."""
        started = replay_run(
            tenant_id=self.tenant_id,
            public_id=public_id,
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            expected_revision=expected_revision(request),
            **read_input(ReplaySerializer, request),
        )
        return Response(StartedRunSerializer(started).data, status=201 if started.created else 200)
