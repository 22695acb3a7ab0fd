"""Deciding approvals in REST."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.serializers import StrictSerializer
from workflows.api.run_control import ControlView, asks
from workflows.services.approvals import LONGEST_COMMENT, Decision, approve_runs, reject_runs


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


class DecisionView(ControlView):
    """Decides the open approval of one run."""

    reads = DecisionSerializer

    def said(self, request: Request) -> dict[str, Any]:
        """The decision."""
        return {"decision": Decision(**super().said(request))}


class ApproveRunView(DecisionView):
    """Say yes."""

    @asks("runs_approve", "Say yes to the open approval", DecisionSerializer)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run goes where yes leads. Refused when none is open, when another is meant, or for another actor."""
        return self.ask(request, approve_runs, public_id)


class RejectRunView(DecisionView):
    """Say no."""

    @asks("runs_reject", "Say no to the open approval", DecisionSerializer)
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run goes where no leads; refused as a yes is."""
        return self.ask(request, reject_runs, public_id)
