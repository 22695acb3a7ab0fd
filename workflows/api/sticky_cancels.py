"""Cancelling by key in REST, and the cancels that wait for runs which are still to come."""

import uuid
from datetime import timedelta
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input
from chimeway_py.errors import Invalid, fault
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.run_asking import CancelSerializer, ControlVerdictSerializer
from workflows.api.runs import TAG
from workflows.definitions.durations import parse_duration
from workflows.models import StickyCancel
from workflows.services.cancel_by_key import Key, cancel_by_key, lift_sticky_cancel
from workflows.states import Cause


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Also if it is still to come",
            value={"correlation": {"order_id": "A-1001"}, "sticky": True, "ttl": "P1D", "reason": "order withdrawn"},
            request_only=True,
        )
    ]
)
class CancelByKeySerializer(CancelSerializer):
    """Runs by their idempotency key or by one correlation value."""

    idempotency_key = serializers.CharField(required=False, default="", max_length=255)
    correlation = serializers.DictField(required=False, default=dict, child=serializers.CharField(max_length=200))
    workflow = serializers.CharField(
        required=False, default="", max_length=64, help_text="The key of a definition; any when left out."
    )
    sticky = serializers.BooleanField(
        required=False, default=False, help_text="Cancel runs that start under it within `ttl`, too."
    )
    ttl = serializers.CharField(
        required=False, default="", max_length=40, help_text="With `sticky`: an ISO 8601 duration of at most P90D."
    )


class StickyCancelSerializer(serializers.ModelSerializer[StickyCancel]):
    """A cancel that waits for runs."""

    id = serializers.UUIDField(source="public_id")
    mark = serializers.CharField(help_text="@key=<idempotency key>, or <correlation name>=<value>.")

    class Meta:
        model = StickyCancel
        fields = ["id", "workflow", "mark", "reason", "cause", "cause_ref", "until", "created_at"]


class KeyCancelSerializer(serializers.Serializer[Any]):
    """What was cancelled now, and what waits for the rest."""

    runs = ControlVerdictSerializer(many=True, source="verdicts")
    sticky = StickyCancelSerializer(allow_null=True)


class CancelByKeyView(TenantView):
    """End the runs of a key, also those that are still to come."""

    scopes = {"POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="runs_cancel_by_key",
        summary="End the runs of a key, and if asked those still to come",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=CancelByKeySerializer,
        responses=answers(KeyCancelSerializer, 400, 409),
    )
    def post(self, request: Request) -> Response:
        """A run that starts under a sticky cancel is made and cancelled at once; its trace says why."""
        asked = read_input(CancelByKeySerializer, request)
        cancelled = cancel_by_key(
            tenant_id=self.tenant_id,
            key=Key(asked["idempotency_key"], asked["correlation"], asked["workflow"]),
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            reason=asked["reason"],
            sticky_for=_lifetime(asked["sticky"], asked["ttl"]),
            compensate=asked["compensate"],
        )
        return Response(KeyCancelSerializer(cancelled).data)


class StickyCancelsView(TenantView):
    """The cancels that wait for runs."""

    scopes = {"GET": Scope.RUNS_READ}

    @extend_schema(
        operation_id="sticky_cancels_list",
        summary="Cancels that wait for runs still to come, newest first",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(StickyCancelSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """Those whose time is not over."""
        return self.page(
            StickyCancel.objects.filter(tenant_id=self.tenant_id, until__gt=self.now), StickyCancelSerializer
        )


class StickyCancelView(TenantView):
    """One of them."""

    scopes = {"DELETE": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="sticky_cancels_lift",
        summary="Let runs start again",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=answers(None, 404, status=204),
    )
    def delete(self, request: Request, public_id: uuid.UUID) -> Response:
        """Runs that were cancelled stay so."""
        lift_sticky_cancel(tenant_id=self.tenant_id, public_id=public_id)
        return Response(status=204)


def _lifetime(sticky: bool, ttl: str) -> timedelta | None:
    """How long a cancel sticks; None when it does not."""
    if sticky != bool(ttl):
        raise Invalid("The cancel is not valid.", [fault("/ttl", "conflict", "`sticky` and `ttl` go together.")])
    try:
        return parse_duration(ttl) if sticky else None
    except ValueError as error:
        raise Invalid("The cancel is not valid.", [fault("/ttl", "duration", str(error))]) from error
