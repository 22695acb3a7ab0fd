"""Runs in REST: start them, list them, look at one."""

import uuid
from typing import Any

from django.db.models import F
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_input, read_object
from chimeway_py.errors import Invalid, fault
from tenants.api.authentication import caller_of, need_scope
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.revisions import IF_MATCH, etag, expected_revision
from workflows.api.run_asking import ControlVerdictSerializer, RunPatchSerializer, StartedSerializer, StartSerializer
from workflows.api.run_filters import FILTERS, correlation_filters, filtered
from workflows.api.run_schemas import (
    AttemptSerializer,
    RunDetailSerializer,
    RunSerializer,
    StepRunSerializer,
    TransitionSerializer,
)
from workflows.api.start_reading import read_start
from workflows.errors import RunNotFound
from workflows.history.lineage import origin_of, replays_of
from workflows.models import Attempt, Run, StepRun, Transition
from workflows.querysets import RunQuerySet
from workflows.services.companions import companions
from workflows.services.run_times import change_times
from workflows.services.start import start_runs
from workflows.services.wide_search import bounded_search
from workflows.states import Cause, RunState
from workflows.trace import in_words

TAG = ["Runs"]
LATEST = 200  # rows that a run is shown with; the rest is behind its own address
INCLUDES = ("steps", "attempts", "transitions")
_TIME = {"type": "string", "format": "date-time"}


def runs_of(tenant_id: int) -> RunQuerySet:
    """The tenant's runs, each with the version it follows, without documents."""
    return Run.objects.for_tenant(tenant_id).annotate(version=F("definition__version"))


def run_of(tenant_id: int, public_id: uuid.UUID) -> Run:
    """One of the tenant's runs. Raises `RunNotFound`, whether it is another tenant's or nobody's."""
    run = runs_of(tenant_id).filter(public_id=public_id).first()
    if run is None:
        raise RunNotFound("No such run.")
    return run


class RunsView(TenantView):
    """Start runs; list runs."""

    scopes = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="runs_start",
        summary="Start runs for one or many subjects",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=StartSerializer,
        responses=answers(StartedSerializer, 400, 404, 409, 413, 415, status=201)
        | {200: answers(StartedSerializer)[200]},
    )
    def post(self, request: Request) -> Response:
        """All or none. 201 when at least one was made, 200 when earlier requests had started them all."""
        start = read_start(read_object(request), caller_of(request).prefix)
        for name in {name for run in start.runs for name in run.companions}:
            need_scope(request, companions()[name].scope)
        try:
            started = start_runs(
                tenant_id=self.tenant_id,
                definition_key=start.workflow,
                runs=start.runs,
                version=start.version,
                on_duplicate=start.on_duplicate,
            )
        except Invalid as error:
            raise start.refusal(error) from error
        status = 201 if any(run.created for run in started) else 200
        return Response(StartedSerializer({"runs": started}).data, status=status)

    @extend_schema(
        operation_id="runs_list",
        summary="Runs, newest first",
        tags=TAG,
        parameters=[
            *PAGE_PARAMETERS,
            OpenApiParameter("workflow", str, description="The key of a definition."),
            OpenApiParameter("state", str, enum=RunState.values),
            OpenApiParameter("subject", str),
            OpenApiParameter("waiting_on", str, description="A signal that an open wait listens for."),
            OpenApiParameter("broadcast", str, description="The id of the broadcast that started them."),
            OpenApiParameter("due_before", _TIME, description="Whose next clock comes before this."),
            OpenApiParameter("created_after", _TIME),
            OpenApiParameter("created_before", _TIME),
            OpenApiParameter(
                "correlation.<name>",
                str,
                description="A correlation value; any number of names. Looks through the runs for at most two seconds.",
            ),
        ],
        responses=answers(page_of(RunSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Only runs that meet every filter. An unknown filter is refused, not ignored."""
        correlation = correlation_filters(request.query_params)
        self.filters = (*FILTERS, *correlation)  # type: ignore[misc]
        check_query(request, self.filters)
        rows = filtered(runs_of(self.tenant_id), request.query_params.dict())
        with bounded_search(is_wide=bool(correlation)):
            return self.page(rows, RunSerializer)


class RunView(TenantView):
    """One run."""

    scopes = {"GET": Scope.RUNS_READ, "PATCH": Scope.RUNS_WRITE}
    heeds_if_match = True

    @extend_schema(
        operation_id="runs_get",
        summary="A run, with its steps, attempts and transitions if asked",
        tags=TAG,
        parameters=[OpenApiParameter("include", str, description=f"Any of {', '.join(INCLUDES)}, joined by commas.")],
        responses=answers(RunDetailSerializer, 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """Where it stands."""
        included = _included(request)
        run = run_of(self.tenant_id, public_id)
        shown = RunSerializer(run).data | _lineage(run) | {name: _INCLUDED[name](run) for name in included}
        return Response(shown, headers={"ETag": etag(run.revision)})

    @extend_schema(
        operation_id="runs_change",
        summary="Change the deadline of a run, or the end of its pause",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY, IF_MATCH],
        request=RunPatchSerializer,
        responses=answers(ControlVerdictSerializer, 400, 404, 409, 412),
    )
    def patch(self, request: Request, public_id: uuid.UUID) -> Response:
        """What is left out keeps its value. A run that has ended is refused and left as it is."""
        asked = read_input(RunPatchSerializer, request)
        verdict = change_times(
            tenant_id=self.tenant_id,
            public_id=public_id,
            reason=asked.pop("reason"),
            changes=asked,
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            expected_revision=expected_revision(request),
        )
        return Response(ControlVerdictSerializer(verdict).data, headers={"ETag": etag(verdict.revision)})


def _lineage(run: Run) -> dict[str, Any]:
    """Public ids of the run that this one is a replay of, and of its own replays, oldest first."""
    return {"replayed_from": origin_of(run), "replays": replays_of(run, LATEST)}


def _included(request: Request) -> list[str]:
    check_query(request, ("include",))
    asked = [name for name in request.query_params.get("include", "").split(",") if name]
    if set(asked) - set(INCLUDES):
        raise Invalid("The query is not valid.", [fault("/include", "unknown", f"Any of {', '.join(INCLUDES)}.")])
    return asked


def _steps(run: Run) -> Any:
    mine = StepRun.objects.filter(tenant_id=run.tenant_id, run_id=run.pk).order_by("-id")[:LATEST]
    return StepRunSerializer(list(mine)[::-1], many=True).data


def _attempts(run: Run) -> Any:
    mine = Attempt.objects.filter(tenant_id=run.tenant_id, step_run__run_id=run.pk).select_related("step_run")
    return AttemptSerializer(list(mine.order_by("-id")[:LATEST])[::-1], many=True).data


def _transitions(run: Run) -> Any:
    mine = Transition.objects.filter(tenant_id=run.tenant_id, run_id=run.pk).order_by("-seq")[:LATEST]
    return TransitionSerializer(in_words(run.tenant_id, mine)[::-1], many=True).data


_INCLUDED = {"steps": _steps, "attempts": _attempts, "transitions": _transitions}
