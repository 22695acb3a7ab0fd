"""REST: external work, observed and looked up by its own id."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import StrictSerializer, read_input
from chimeway_py.errors import Invalid, fault
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.models.external_work import ExternalStatus, ExternalWork
from workflows.services.external import ObservationVerdict, find_step_by_external_id, observe_external


class ExternalWorkSerializer(serializers.ModelSerializer[ExternalWork]):
    """External work as it was last observed, and the step that waits for it."""

    status = serializers.CharField(help_text="expected, running, succeeded or failed.")
    run_id = serializers.UUIDField(source="run.public_id", allow_null=True, default=None)
    step = serializers.CharField(source="step_run.step", allow_null=True, default=None)
    visit = serializers.IntegerField(source="step_run.visit", allow_null=True, default=None)

    class Meta:
        model = ExternalWork
        fields = [
            "kind", "external_id", "status", "error", "run_id", "step", "visit",
            "observations", "late_observations", "created_at", "observed_at", "ended_at",
        ]  # fmt: skip


class ObservedSerializer(ExternalWorkSerializer):
    """The same, and what an observation came to."""

    verdict = serializers.ChoiceField(choices=ObservationVerdict.choices)

    class Meta(ExternalWorkSerializer.Meta):
        fields = [*ExternalWorkSerializer.Meta.fields, "verdict"]


class ObserveSerializer(StrictSerializer):
    """What was observed."""

    status = serializers.CharField(max_length=16, help_text="running, succeeded or failed.")
    error = serializers.CharField(default="", allow_blank=True, max_length=200, help_text="A code, never a value.")
    data = serializers.DictField(  # type: ignore[assignment]
        required=False, help_text="With an end: becomes the answer of the step."
    )


class ExternalWorksView(TenantView):
    """What is mirrored."""

    scopes = {"GET": Scope.RUNS_READ}
    page_by = "-id"
    filters = ("kind", "status")

    @extend_schema(
        operation_id="external_list",
        summary="External work, newest first",
        tags=["External work"],
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("kind", str),
            OpenApiParameter("status", str, enum=ExternalStatus.values),
        ],
        responses=answers(page_of(ExternalWorkSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Of one kind or status, if asked."""
        check_query(request, self.filters)
        asked = {name: request.query_params[name] for name in self.filters if name in request.query_params}
        if asked.get("status", "running") not in ExternalStatus.values:
            known = ", ".join(ExternalStatus.values)
            raise Invalid("The query is not valid.", [fault("/status", "unknown_status", f"One of {known}.")])
        rows = ExternalWork.objects.filter(tenant_id=self.tenant_id, **asked).select_related("run", "step_run")
        return self.page(rows, ExternalWorkSerializer)


class ExternalWorkView(TenantView):
    """One piece of external work."""

    scopes = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="external_get",
        summary="External work, and the step that waits for it",
        tags=["External work"],
        responses=answers(ExternalWorkSerializer, 404),
    )
    def get(self, request: Request, kind: str, external_id: str) -> Response:
        """As it was last observed."""
        found = find_step_by_external_id(tenant_id=self.tenant_id, kind=kind, external_id=external_id)
        return Response(ExternalWorkSerializer(found).data)

    @extend_schema(
        operation_id="external_observe",
        summary="Say what was observed of external work",
        description="An end lets the run that waits go on. What comes after it changes nothing and is answered `late`.",
        tags=["External work"],
        parameters=[IDEMPOTENCY_KEY],
        request=ObserveSerializer,
        responses=answers(ObservedSerializer, 400),
    )
    def post(self, request: Request, kind: str, external_id: str) -> Response:
        """The work as it is mirrored now, and what the observation came to."""
        asked: dict[str, Any] = read_input(ObserveSerializer, request)
        seen = observe_external(
            tenant_id=self.tenant_id, kind=kind, external_id=external_id, cause_ref=caller_of(request).prefix, **asked
        )
        return Response({**ExternalWorkSerializer(seen.work).data, "verdict": seen.verdict})
