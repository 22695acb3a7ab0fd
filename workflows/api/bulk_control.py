"""Control calls on many runs at once, by what they are: looked at with `dry_run`, then carried out batch by batch."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from chimeway_py.errors import Invalid, fault
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.approvals import DecisionSerializer
from workflows.api.replay import HowSerializer
from workflows.api.run_asking import ControlVerdictSerializer, ReasonSerializer
from workflows.api.runs import TAG
from workflows.services.approvals import Decision
from workflows.services.bulk_checks import MOST_RUNS
from workflows.services.bulk_control import CONTROLS, Batch, Forecast, control_planned, plan_control
from workflows.services.bulk_replay import Replaying
from workflows.services.run_selection import Plan, Selection
from workflows.states import Cause, RunState


class SelectionSerializer(StrictSerializer):
    """Which runs: those that meet every condition given."""

    workflow = serializers.CharField(required=False, max_length=64, help_text="The key of a definition.")
    state = serializers.ChoiceField(required=False, choices=RunState.choices)
    subject = serializers.CharField(required=False, max_length=200)
    correlation = serializers.DictField(required=False, child=serializers.CharField(max_length=200))
    waiting_on = serializers.CharField(required=False, max_length=100, help_text="A signal that an open wait takes.")
    started_after = serializers.DateTimeField(required=False)
    started_before = serializers.DateTimeField(required=False)
    broadcast = serializers.CharField(required=False, max_length=36, help_text="The id of a broadcast.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Look first",
            value={"action": "cancel", "where": {"workflow": "invoice_dunning", "state": "waiting"}, "dry_run": True},
            request_only=True,
        ),
        OpenApiExample("Then do it", value={"plan": "WyJjYW5jZWwi…", "reason": "wrong import"}, request_only=True),
        OpenApiExample(
            "Say yes to many",
            value={"action": "approve", "where": {"workflow": "refund"}, "actor": "ada", "comment": "Checked."},
            request_only=True,
        ),
    ]
)
class BulkSerializer(ReasonSerializer, DecisionSerializer, HowSerializer):
    """Either `action` and `where`, or the `plan` of an answer before.

    An approve or a reject says who decides instead of a reason, with every batch: a plan does not keep it.
    """

    actor = serializers.CharField(required=False, max_length=200, help_text="Of an approve or a reject: who decides.")

    action = serializers.ChoiceField(required=False, choices=list(CONTROLS))
    where = SelectionSerializer(required=False)
    plan = serializers.CharField(required=False, max_length=4096)
    dry_run = serializers.BooleanField(required=False, default=False, help_text="Only look; nothing is written.")
    limit = serializers.IntegerField(
        required=False, default=MOST_RUNS, min_value=1, max_value=MOST_RUNS, help_text="Runs in this batch."
    )
    until = serializers.DateTimeField(required=False, help_text="Of a pause: when it ends by itself.")
    compensate = serializers.BooleanField(
        required=False, default=False, help_text="Of a cancel: undo what was done. A plan keeps it."
    )


class SampleRunSerializer(serializers.Serializer[Any]):
    """One of the runs."""

    id = serializers.UUIDField(source="public_id")
    subject = serializers.CharField()
    state = serializers.ChoiceField(choices=RunState.choices)
    step = serializers.CharField(allow_blank=True)


class BulkAnswerSerializer(serializers.Serializer[Any]):
    """What would be done, or what was."""

    action = serializers.ChoiceField(choices=list(CONTROLS))
    dry_run = serializers.BooleanField()
    plan = serializers.CharField(allow_null=True, help_text="Send it for the next batch; null: nothing is left.")
    moves = serializers.IntegerField(help_text="Runs that would move; or those that did, in this batch.")
    remaining = serializers.IntegerField(help_text="Runs still to come.")
    by_state = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text="Of a dry run: all runs selected, by state."
    )
    in_flight = serializers.IntegerField(help_text="Attempts that a worker had begun: they may still take effect.")
    compensates = serializers.DictField(
        child=serializers.IntegerField(), help_text="Of a dry run: visits that would be undone, by <workflow>.<step>."
    )
    sample = SampleRunSerializer(many=True, help_text="Of a dry run: the oldest that would move.")
    runs = ControlVerdictSerializer(many=True, help_text="The verdicts of this batch.")


class BulkControlView(TenantView):
    """Cancel, wake, pause, resume, approve, reject, replay or undo all runs of a selection."""

    scopes = {"POST": Scope.RUNS_WRITE}

    @extend_schema(
        operation_id="runs_bulk",
        summary="Cancel, wake, pause, resume, approve, reject, replay or undo all runs that meet a condition",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=BulkSerializer,
        responses=answers(BulkAnswerSerializer, 400, 404, 409),
    )
    def post(self, request: Request) -> Response:
        """One batch, which is one transaction. Runs that started after the first look are not touched."""
        asked = read_input(BulkSerializer, request)
        if asked["dry_run"]:
            return _answer(_foreseen(self._look(asked)))
        batch = control_planned(
            tenant_id=self.tenant_id,
            plan=(plan := self._plan(asked)),
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            reason=asked["reason"],
            limit=asked["limit"],
            until=asked.get("until"),
            decision=_decision(asked),
            replaying=Replaying(asked["version"], asked["allow_irreversible"]),
        )
        return _answer(_done(plan.action, batch))

    def _plan(self, asked: dict[str, Any]) -> Plan:
        if "plan" not in asked:
            return self._look(asked).plan
        if "where" in asked or "action" in asked or asked["compensate"]:
            raise Invalid("The request is not valid.", [fault("/plan", "conflict", "A plan has its own where.")])
        return Plan.from_token(asked["plan"])

    def _look(self, asked: dict[str, Any]) -> Forecast:
        action, selection = _where(asked)
        return plan_control(
            tenant_id=self.tenant_id,
            action=action,
            selection=selection,
            compensate=asked["compensate"],
            decision=_decision(asked),
        )


def _where(asked: dict[str, Any]) -> tuple[str, Selection]:
    faults = [fault(f"/{name}", "missing", "Give it.") for name in ("action", "where") if name not in asked]
    if faults:
        raise Invalid("The request is not valid.", faults)
    return asked["action"], Selection(**asked["where"])


def _decision(asked: dict[str, Any]) -> Decision | None:
    """What somebody says to the approvals; None when nobody says anything."""
    said = {name: asked[name] for name in ("actor", "comment", "metadata", "step", "visit") if asked.get(name)}
    return Decision(**{"actor": "", **said}) if said else None


def _foreseen(forecast: Forecast) -> dict[str, Any]:
    return {
        "action": forecast.plan.action,
        "dry_run": True,
        "plan": forecast.plan.as_token(),
        "moves": forecast.moves,
        "remaining": forecast.moves,
        "by_state": forecast.by_state,
        "in_flight": forecast.in_flight,
        "compensates": forecast.compensates,
        "sample": forecast.sample,
        "runs": [],
    }


def _done(action: str, batch: Batch) -> dict[str, Any]:
    return {
        "action": action,
        "dry_run": False,
        "plan": batch.rest and batch.rest.as_token(),
        "moves": sum(one.verdict == "moved" for one in batch.verdicts),
        "remaining": batch.remaining,
        "by_state": None,
        "in_flight": sum(len(one.in_flight) for one in batch.verdicts),
        "compensates": {},
        "sample": [],
        "runs": batch.verdicts,
    }


def _answer(said: dict[str, Any]) -> Response:
    return Response(BulkAnswerSerializer(said).data)
