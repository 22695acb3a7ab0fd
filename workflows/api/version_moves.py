"""Moving runs to another version in REST."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from chimeway_py.errors import Invalid, fault
from chimeway_py.text import LONGEST_REASON
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.definition_schemas import TAG
from workflows.engine.version_moves import MoveOutcome
from workflows.services.definitions import require_definition
from workflows.services.version_moves import MOST_RUNS, MoveBatch, MoveForecast, move_planned, plan_move
from workflows.services.version_plan import DUES, Change, MovePlan
from workflows.states import Cause, RunState

_CHANGE = ("from_version", "to_version", "map", "due")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Look first",
            value={"from_version": 1, "to_version": 2, "map": {"grace": "patience"}, "dry_run": True},
            request_only=True,
        ),
        OpenApiExample("Then carry it out", value={"plan": "WyJp…", "reason": "better words"}, request_only=True),
    ]
)
class MoveRunsSerializer(StrictSerializer):
    """A look (`dry_run` with the versions), or the next batch of what was looked at (`plan`)."""

    from_version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    to_version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)
    map = serializers.DictField(
        required=False,
        child=serializers.CharField(max_length=64),
        help_text="Steps of the old version by steps of the new one; the others keep their key.",
    )
    due = serializers.ChoiceField(
        required=False,
        choices=DUES,
        help_text="Of a wait opened anew: `keep` its time (default), or `recompute` it from when it was opened.",
    )
    dry_run = serializers.BooleanField(required=False, default=False)
    plan = serializers.CharField(required=False, max_length=20_000)
    reason = serializers.CharField(required=False, default="", allow_blank=True, max_length=LONGEST_REASON)
    limit = serializers.IntegerField(required=False, default=MOST_RUNS, min_value=1, max_value=MOST_RUNS)


class MoveGroupSerializer(serializers.Serializer[Any]):
    """Runs of the old version that stand alike."""

    state = serializers.ChoiceField(choices=RunState.choices)
    step = serializers.CharField(allow_blank=True)
    step_to = serializers.CharField(allow_blank=True)
    outcome = serializers.ChoiceField(choices=MoveOutcome.choices)
    runs = serializers.IntegerField()
    why = serializers.CharField()


class MoveVerdictSerializer(serializers.Serializer[Any]):
    """What became of one run."""

    id = serializers.UUIDField(source="public_id")
    verdict = serializers.ChoiceField(choices=["moved", "refused"])
    outcome = serializers.ChoiceField(choices=MoveOutcome.choices)
    state = serializers.ChoiceField(choices=RunState.choices)
    step = serializers.CharField(allow_blank=True)
    revision = serializers.IntegerField()
    why = serializers.CharField()


class MoveAnswerSerializer(serializers.Serializer[Any]):
    """What would be done, or what was."""

    dry_run = serializers.BooleanField()
    plan = serializers.CharField(allow_null=True, help_text="Send it for the next batch; null: nothing is left.")
    moves = serializers.IntegerField(help_text="Runs that would move; or those that did, in this batch.")
    stays = serializers.IntegerField(help_text="Runs that cannot move; or those that did not, in this batch.")
    remaining = serializers.IntegerField(help_text="Runs of the old version still to be looked at.")
    groups = MoveGroupSerializer(many=True, help_text="Of a dry run: the runs by where they stand.")
    runs = MoveVerdictSerializer(many=True, help_text="The verdicts of this batch.")


class MoveRunsView(TenantView):
    """Move the runs of one version to another."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="definitions_migrate",
        summary="Move the runs of one version to another: look first, then batch by batch",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=MoveRunsSerializer,
        responses=answers(MoveAnswerSerializer, 400, 404, 409),
    )
    def post(self, request: Request, key: str) -> Response:
        """One batch, which is one transaction. A run that has changed since the look is told and stays."""
        asked = read_input(MoveRunsSerializer, request)
        require_definition(tenant_id=self.tenant_id, key=key)
        if asked["dry_run"]:
            forecast = plan_move(tenant_id=self.tenant_id, change=_change(key, asked))
            return Response(MoveAnswerSerializer(_foreseen(forecast)).data)
        batch = move_planned(
            tenant_id=self.tenant_id,
            plan=_plan(key, asked),
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            reason=asked["reason"],
            limit=asked["limit"],
        )
        return Response(MoveAnswerSerializer(_done(batch)).data)


def _change(key: str, asked: dict[str, Any]) -> Change:
    missing = [fault(f"/{name}", "missing", "Give it.") for name in ("from_version", "to_version") if name not in asked]
    more = [fault("/plan", "conflict", "A look makes a new plan.")] if "plan" in asked else []
    if missing or more:
        raise Invalid("The request is not valid.", [*missing, *more])
    return Change(key, asked["from_version"], asked["to_version"], asked.get("map", {}), asked.get("due", "keep"))


def _plan(key: str, asked: dict[str, Any]) -> MovePlan:
    if "plan" not in asked:
        raise Invalid("The request is not valid.", [fault("/plan", "missing", "Look first, with dry_run.")])
    both = [fault(f"/{name}", "conflict", "A plan has its own.") for name in _CHANGE if name in asked]
    if both:
        raise Invalid("The request is not valid.", both)
    return MovePlan.from_token(asked["plan"], key)


def _foreseen(forecast: MoveForecast) -> dict[str, Any]:
    return {
        "dry_run": True,
        "plan": forecast.plan.as_token(),
        "moves": forecast.moves,
        "stays": forecast.stays,
        "remaining": forecast.moves + forecast.stays,
        "groups": forecast.groups,
        "runs": [],
    }


def _done(batch: MoveBatch) -> dict[str, Any]:
    moved = sum(one.verdict == "moved" for one in batch.verdicts)
    return {
        "dry_run": False,
        "plan": batch.rest and batch.rest.as_token(),
        "moves": moved,
        "stays": len(batch.verdicts) - moved,
        "remaining": batch.remaining,
        "groups": [],
        "runs": batch.verdicts,
    }
