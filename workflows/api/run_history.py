"""The whole history of a run in REST: the state that it gives, all of it as lines, and lines added to it."""

import uuid
from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import InstantField, StrictSerializer, read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.revisions import IF_MATCH, etag, expected_revision
from workflows.api.run_views import number_of
from workflows.api.runs import TAG
from workflows.history.append import LONGEST_NOTE, append_transition
from workflows.history.exporting import exported_file
from workflows.history.rebuild import rebuild_run, state_at
from workflows.states import Cause, RunState
from workflows.verify import verify_run

_REFUSALS = {status: said for status, said in answers(None, 404).items() if status != 200}


class FoldedStateSerializer(serializers.Serializer[Any]):
    """Where a run stands according to its trace."""

    state = serializers.ChoiceField(choices=RunState.choices)
    step = serializers.CharField(allow_blank=True)
    visits = serializers.DictField(child=serializers.IntegerField())
    reason = serializers.CharField(source="status_reason")
    terminal_reason = serializers.CharField(
        allow_blank=True, help_text="As the trace has it: what somebody said stands there by its address."
    )
    pending_signals = serializers.IntegerField()
    seq = serializers.IntegerField(help_text="The line of the trace that it stands after.")
    revision = serializers.IntegerField()


class DifferenceSerializer(serializers.Serializer[Any]):
    """Something that is not as the trace says, or a fault of the trace."""

    seq = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class RebuiltSerializer(serializers.Serializer[Any]):
    """What folding a trace gives, and where the stored run differs from it."""

    state = FoldedStateSerializer()
    equal = serializers.BooleanField(source="is_equal", help_text="Whether the stored run is what its trace gives.")
    differences = DifferenceSerializer(source="faults", many=True)
    lines = serializers.IntegerField(help_text="How many transitions were read.")
    snapshot = serializers.IntegerField(source="snapshot_seq", help_text="The line after which reading began.")


class VerifiedSerializer(serializers.Serializer[Any]):
    """What a proof of a trace found."""

    intact = serializers.BooleanField(source="is_intact")
    faults = DifferenceSerializer(many=True, help_text="What is wrong, and at which line; the first hundred.")
    transitions = serializers.IntegerField(source="lines", help_text="How many were read.")


class ExportRunView(TenantView):
    """Everything there is of a run."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="runs_export",
        summary="A run, whole, as JSON lines",
        tags=TAG,
        responses={**_REFUSALS, (200, "application/x-ndjson"): OpenApiTypes.STR},
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Any:
        """Its version, transitions, step runs, attempts, waits, signals, verdicts and deliveries; no payload values."""
        check_query(request, ())
        file = exported_file(tenant_id=self.tenant_id, public_id=public_id)
        return FileResponse(
            file, content_type="application/x-ndjson", filename=f"{public_id}.jsonl", as_attachment=True
        )


class NoteSerializer(StrictSerializer):
    """A line for the trace."""

    note = serializers.CharField(max_length=LONGEST_NOTE, help_text="What happened, in a few words; no payload values.")
    expected_seq = serializers.IntegerField(
        required=False, min_value=1, help_text="Add it only if this is the last line now."
    )
    occurred_at = InstantField(required=False, help_text="When it happened, with an offset; now, if left out.")


class CursorSerializer(serializers.Serializer[Any]):
    """Where the trace has come to."""

    seq = serializers.IntegerField()


class AddNoteView(TenantView):
    """Add a line to the trace of a run."""

    scopes = {"POST": Scope.RUNS_WRITE}
    heeds_if_match = True

    @extend_schema(
        operation_id="runs_add_note",
        summary="Add a note to the trace of a run",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=NoteSerializer,
        responses=answers(CursorSerializer, 400, 404, 409, 412, status=201),
    )
    def post(self, request: Request, public_id: uuid.UUID) -> Response:
        """The run stays where it is. With `expected_seq`, a trace that has gone on is a 409 with both numbers."""
        asked, revision = read_input(NoteSerializer, request), expected_revision(request)
        seq = append_transition(
            tenant_id=self.tenant_id,
            public_id=public_id,
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            expected_revision=revision,
            **asked,
        )
        return Response({"seq": seq}, status=201, headers={"ETag": etag(seq)})


class RebuildRunView(TenantView):
    """Fold the trace of a run."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="runs_rebuild",
        summary="The state that the trace of a run gives",
        tags=TAG,
        responses=answers(RebuiltSerializer, 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Folded from the last snapshot on, and held against what is stored. Nothing is written."""
        check_query(request, ())
        return Response(RebuiltSerializer(rebuild_run(tenant_id=self.tenant_id, public_id=public_id)).data)


class VerifyRunView(TenantView):
    """Prove the trace of a run."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="runs_verify",
        summary="Whether the trace of a run is whole and unchanged",
        tags=TAG,
        responses=answers(VerifiedSerializer, 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Its hash chain, every move in it, and the state that it gives. Nothing is written."""
        check_query(request, ())
        return Response(VerifiedSerializer(verify_run(tenant_id=self.tenant_id, public_id=public_id)).data)


class StateAtView(TenantView):
    """Where a run stood."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="runs_state_at",
        summary="Where a run stood after a line of its trace",
        tags=TAG,
        parameters=[OpenApiParameter("seq", {"type": "integer", "minimum": 1}, required=True)],
        responses=answers(FoldedStateSerializer, 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """The state after line `seq`."""
        check_query(request, ("seq",))
        state = state_at(tenant_id=self.tenant_id, public_id=public_id, seq=number_of(request, "seq", 0))
        return Response(FoldedStateSerializer(state).data)
