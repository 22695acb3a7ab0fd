"""Schedules in REST."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_input
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.schedule_schemas import (
    OccurrencesSerializer,
    PreviewSerializer,
    ScheduleChangeSerializer,
    ScheduleDetailSerializer,
    ScheduleInputSerializer,
    ScheduleSerializer,
)
from workflows.models import Schedule
from workflows.services import schedules
from workflows.services.firing import data_of

TAG = ["Schedules"]


class SchedulesView(TenantView):
    """Create a schedule; list schedules."""

    scopes = {"GET": Scope.RUNS_READ, "POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="schedules_create",
        summary="Start runs again and again, by the calendar",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=ScheduleInputSerializer,
        responses=answers(ScheduleDetailSerializer, 400, 404, 409, status=201),
    )
    def post(self, request: Request) -> Response:
        """The schedule with its next occurrences."""
        made = schedules.create_schedule(tenant_id=self.tenant_id, **read_input(ScheduleInputSerializer, request))
        return Response(whole(self, made), status=201)

    @extend_schema(
        operation_id="schedules_list",
        summary="Schedules, newest first",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(ScheduleSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Without data."""
        return self.page(Schedule.objects.filter(tenant_id=self.tenant_id), ScheduleSerializer)


class ScheduleView(TenantView):
    """One schedule."""

    scopes = {"GET": Scope.RUNS_READ, "PATCH": Scope.RUNS_WRITE, "DELETE": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="schedules_get",
        summary="A schedule, with its next five occurrences",
        tags=TAG,
        responses=answers(ScheduleDetailSerializer, 404),
    )
    def get(self, request: Request, key: str) -> Response:
        """What it starts, when it did so last, and when it will."""
        check_query(request, ())
        return Response(whole(self, schedules.schedule_named(self.tenant_id, key)))

    @extend_schema(
        operation_id="schedules_change",
        summary="Change a schedule, or switch it off and on",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=ScheduleChangeSerializer,
        responses=answers(ScheduleDetailSerializer, 400, 404, 409),
    )
    def patch(self, request: Request, key: str) -> Response:
        """What is left out stays as it is. Nothing is made up for what would have been before."""
        changes = read_input(ScheduleChangeSerializer, request)
        return Response(whole(self, schedules.change_schedule(tenant_id=self.tenant_id, key=key, changes=changes)))

    @extend_schema(
        operation_id="schedules_delete",
        summary="Forget a schedule",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, 409, status=204),
    )
    def delete(self, request: Request, key: str) -> Response:
        """The runs that it started stay."""
        schedules.delete_schedule(tenant_id=self.tenant_id, key=key)
        return Response(status=204)


class PreviewView(TenantView):
    """When an expression would occur."""

    scopes = {"POST": Scope.RUNS_READ}

    @extend_schema(
        operation_id="schedules_preview",
        summary="When a cron expression occurs next in a zone; nothing is stored",
        tags=TAG,
        request=PreviewSerializer,
        responses=answers(OccurrencesSerializer, 400),
    )
    def post(self, request: Request) -> Response:
        """The next five occurrences, in UTC."""
        found = schedules.preview(after=self.now, **read_input(PreviewSerializer, request))
        return Response(OccurrencesSerializer({"upcoming": found}).data)


def whole(view: TenantView, schedule: Schedule) -> Any:
    """A schedule with its data and its next occurrences."""
    schedule.data = data_of(schedule)  # type: ignore[attr-defined]
    schedule.upcoming = schedules.upcoming(schedule, view.now)  # type: ignore[attr-defined]
    return ScheduleDetailSerializer(schedule).data
