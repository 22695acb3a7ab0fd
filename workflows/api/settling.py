"""REST: settling by hand what nobody saw the end of."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from chimeway_py.text import LONGEST_REASON
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.revisions import IF_MATCH, etag, expected_revision
from workflows.api.run_schemas import StepRunSerializer
from workflows.api.runs import TAG, run_of
from workflows.api.visits import VisitSerializer, take_key
from workflows.services.unknown import settle_unknown
from workflows.states import Cause


class FoundOutSerializer(StrictSerializer):
    """What somebody found out about work whose end nobody saw."""

    outcome = serializers.CharField(
        max_length=32, help_text="A word of the step's kind; or `retry`: it did not take effect, so try it again."
    )
    reason = serializers.CharField(max_length=LONGEST_REASON, help_text="How that is known; the trace keeps it.")


class SettleSerializer(VisitSerializer, FoundOutSerializer):
    """Which visit of which step it is, and what became of it."""


class SettleRunView(TenantView):
    """Settles a step of a run."""

    scopes = {"POST": Scope.RUNS_WRITE}
    heeds_if_match = True

    @extend_schema(
        operation_id="runs_settle",
        summary="Say what became of a step whose outcome is unknown",
        description="The run goes on as though the step had just ended so. Anything but an unknown outcome is refused.",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=SettleSerializer,
        responses=answers(StepRunSerializer, 400, 404, 409, 412),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The step run as it is now."""
        asked = read_input(SettleSerializer, request)
        key = take_key(self.tenant_id, public_id, asked)
        settled = settle_unknown(
            tenant_id=self.tenant_id,
            key=key,
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            expected_revision=expected_revision(request),
            **asked,
        )
        now_at = run_of(self.tenant_id, public_id).revision
        return Response(StepRunSerializer(settled).data, headers={"ETag": etag(now_at)})
