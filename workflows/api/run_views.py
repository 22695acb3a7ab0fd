"""What can be seen of one run in REST: why it stands where it stands, its trace, its attempts; and of one signal."""

import uuid

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import answers
from chimeway_py.api.paging import check_query
from chimeway_py.errors import Invalid, fault
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.explain_schemas import ExplanationSerializer, SignalExplanationSerializer
from workflows.api.run_schemas import TraceSerializer
from workflows.api.runs import TAG
from workflows.explain import explain_run, explain_signal
from workflows.trace import MOST_LINES, read_trace


class ExplainRunView(TenantView):
    """Why a run stands where it stands."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="runs_explain",
        summary="Why a run stands where it stands, and what comes next",
        tags=TAG,
        responses=answers(ExplanationSerializer, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """One sentence for people, the same in parts for programs, and the lines of the trace that prove it."""
        check_query(request, ())
        return Response(explain_run(tenant_id=self.tenant_id, public_id=public_id).as_dict())


class ExplainSignalView(TenantView):
    """What became of a signal."""

    scopes = {"GET": Scope.SIGNALS_READ}

    @extend_schema(
        operation_id="signals_explain",
        summary="What became of a signal, or why no run exists for it",
        tags=["Signals"],
        responses=answers(SignalExplanationSerializer, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """For each run that it might have concerned, with the condition that refused it."""
        check_query(request, ())
        return Response(explain_signal(tenant_id=self.tenant_id, public_id=public_id).as_dict())


class TraceView(TenantView):
    """The trace of a run."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="runs_trace",
        summary="The trace of a run, oldest line first",
        tags=TAG,
        parameters=[
            OpenApiParameter("after", {"type": "integer", "minimum": 0, "default": 0}, description="A seq."),
            OpenApiParameter("limit", {"type": "integer", "minimum": 0, "maximum": MOST_LINES, "default": 100}),
        ],
        responses=answers(TraceSerializer, 400, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """The lines after a seq; a limit of 0 gives none."""
        check_query(request, ("after",))
        after, limit = number_of(request, "after", 0), number_of(request, "limit", 100)
        page = read_trace(tenant_id=self.tenant_id, public_id=public_id, after=after, limit=limit)
        return Response(TraceSerializer({"items": page.transitions, "next": page.next_after}).data)


def number_of(request: Request, name: str, default: int) -> int:
    """A whole number of the query, or the default. Raises `Invalid`."""
    text = request.query_params.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 10):
        raise Invalid("The query is not valid.", [fault(f"/{name}", "bad_number", "A whole number from 0.")])
    return int(text)
