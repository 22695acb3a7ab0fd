"""Explanations in REST. They are answered as `as_dict` gives them; these serializers describe that to OpenAPI."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from signals_app.verdicts import Verdict
from workflows.api.waiting_schemas import ThenSerializer, WaitingSerializer
from workflows.engine.permits import ACTIONS
from workflows.explain.explanation import NextOn
from workflows.models.step_run import StepRunStatus
from workflows.states import Reason, RunState

_RUN_ID = "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10"


class NextSerializer(serializers.Serializer[Any]):
    """One thing that may happen."""

    on = serializers.ChoiceField(choices=NextOn.choices)
    then = ThenSerializer()
    at = serializers.DateTimeField(allow_null=True)
    name = serializers.CharField(allow_blank=True, help_text="The signal or the outcome; empty: any other outcome.")


class InDigestSerializer(serializers.Serializer[Any]):
    """The digest that a run rests in."""

    id = serializers.UUIDField()
    position = serializers.IntegerField(help_text="Of its item.")
    count = serializers.IntegerField(help_text="Items that are in it now.")
    closes_at = serializers.DateTimeField()
    leads = serializers.BooleanField(help_text="This run goes on with it, as things are now.")
    leader = serializers.UUIDField(allow_null=True)


class ActionSerializer(serializers.Serializer[Any]):
    """Something that can be asked for now, or why it would be refused."""

    name = serializers.ChoiceField(choices=ACTIONS)
    allowed = serializers.BooleanField()
    why_not = serializers.CharField(allow_blank=True)


class LastAttemptSerializer(serializers.Serializer[Any]):
    """The latest try at owed work."""

    step = serializers.CharField()
    visit = serializers.IntegerField()
    number = serializers.IntegerField()
    outcome = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    in_flight_since = serializers.DateTimeField(allow_null=True)
    lease_until = serializers.DateTimeField(allow_null=True)
    worker_lost = serializers.BooleanField(help_text="Its lease ran out before it told its outcome.")
    retry_at = serializers.DateTimeField(allow_null=True)


class LastOutcomeSerializer(serializers.Serializer[Any]):
    """How the latest work that ended did end."""

    step = serializers.CharField()
    outcome = serializers.CharField()
    error = serializers.CharField(allow_blank=True)
    at = serializers.DateTimeField()
    decided_by = serializers.CharField(allow_blank=True, help_text="Who kept it back: recipient, tenant_default, …")
    rule = serializers.CharField(allow_blank=True, help_text="By which rule.")


class AfterwardsSerializer(serializers.Serializer[Any]):
    """What became known or was done besides the run, which its trace cannot tell."""

    what = serializers.CharField(help_text="delivered, failed, bounced, complained or resent.")
    step = serializers.CharField()
    visit = serializers.IntegerField()
    delivery = serializers.UUIDField(help_text="The message: that of the news, or the one that was sent again.")
    at = serializers.DateTimeField()
    sentence = serializers.CharField()


class CompensationSerializer(serializers.Serializer[Any]):
    """What undoes one visit of an ended run."""

    step = serializers.CharField()
    visit = serializers.IntegerField()
    status = serializers.ChoiceField(choices=StepRunStatus.choices, help_text="cancelled: there was nothing to undo.")
    outcome = serializers.CharField(allow_blank=True)
    attempts_made = serializers.IntegerField()
    due_at = serializers.DateTimeField(allow_null=True, help_text="null: it waits for its turn, or has ended.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Waiting",
            value={
                "run": _RUN_ID,
                "definition": "invoice_dunning",
                "version": 3,
                "moved_from": None,
                "subject": "customer_42",
                "state": "waiting",
                "reason": "wait_opened",
                "sentence": "Waiting at “grace” since 09:12 UTC for invoice.paid (invoice_id 42); "
                "at 2026-11-22 09:12 UTC it goes on to “email”.",
                "since": "2026-11-20T09:12:00Z",
                "step": "grace",
                "waiting_for": {
                    "step": "grace",
                    "visit": 1,
                    "opened_at": "2026-11-20T09:12:00Z",
                    "signals": [
                        {
                            "signal": "invoice.paid",
                            "match": {"invoice_id": "42"},
                            "when": None,
                            "then": {"state": "completed"},
                        }
                    ],
                    "due_at": "2026-11-22T09:12:00Z",
                    "on_timeout": {"step": "email"},
                    "approval": None,
                },
                "digest": None,
                "pending_signals": 0,
                "suspended_until": None,
                "deadline_at": None,
                "next": [
                    {"on": "timer", "then": {"step": "email"}, "at": "2026-11-22T09:12:00Z", "name": ""},
                    {"on": "signal", "then": {"state": "completed"}, "at": None, "name": "invoice.paid"},
                ],
                "actions": [
                    {"name": "cancel", "allowed": True, "why_not": ""},
                    {"name": "wake", "allowed": True, "why_not": ""},
                    {"name": "approve", "allowed": False, "why_not": "The run does not wait for an approval."},
                    {"name": "reject", "allowed": False, "why_not": "The run does not wait for an approval."},
                    {"name": "pause", "allowed": True, "why_not": ""},
                    {"name": "resume", "allowed": False, "why_not": "The run is not paused."},
                ],
                "last_attempt": None,
                "last_outcome": None,
                "terminal_reason": "",
                "compensations": [],
                "evidence": [4, 5],
                "engine_failures": 0,
                "as_of": "2026-11-20T15:00:00Z",
                "afterwards": [],
            },
            response_only=True,
        )
    ]
)
class ExplanationSerializer(serializers.Serializer[Any]):
    """Where a run stands and why: structure only, never a payload value."""

    run = serializers.UUIDField()
    definition = serializers.CharField()
    version = serializers.IntegerField()
    moved_from = serializers.IntegerField(
        allow_null=True, help_text="The version that it was on before it was moved; null: it began on this one."
    )
    subject = serializers.CharField()
    state = serializers.ChoiceField(choices=RunState.choices)
    reason = serializers.ChoiceField(choices=Reason.choices)
    sentence = serializers.CharField()
    since = serializers.DateTimeField()
    step = serializers.CharField(allow_blank=True)
    waiting_for = WaitingSerializer(allow_null=True)
    digest = InDigestSerializer(allow_null=True, help_text="null: it rests in none.")
    pending_signals = serializers.IntegerField(help_text="Early signals kept for a later wait.")
    suspended_until = serializers.DateTimeField(allow_null=True)
    deadline_at = serializers.DateTimeField(allow_null=True)
    next = NextSerializer(many=True, help_text="What may happen, soonest first; without a time at the end.")
    actions = ActionSerializer(many=True)
    last_attempt = LastAttemptSerializer(allow_null=True)
    last_outcome = LastOutcomeSerializer(allow_null=True)
    terminal_reason = serializers.CharField(allow_blank=True)
    compensations = CompensationSerializer(many=True, help_text="Of an ended run, in the order of undoing.")
    evidence = serializers.ListField(child=serializers.IntegerField(), help_text="The seq of the lines that prove it.")
    engine_failures = serializers.IntegerField()
    as_of = serializers.DateTimeField()
    afterwards = AfterwardsSerializer(many=True, help_text="What the trace cannot tell, in order of time.")


class SignalOnRunSerializer(serializers.Serializer[Any]):
    """What a signal meant to one run."""

    run = serializers.UUIDField()
    definition = serializers.CharField()
    step = serializers.CharField(allow_blank=True)
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    reason = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()
    condition = serializers.DictField(allow_null=True, help_text="What refused it; inputs as type and digest.")
    decided_at = serializers.DateTimeField()


class SignalExplanationSerializer(serializers.Serializer[Any]):
    """What became of a signal, or why no run exists for it."""

    signal = serializers.UUIDField()
    name = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    source = serializers.CharField()  # type: ignore[assignment]
    external_id = serializers.CharField()
    received_at = serializers.DateTimeField()
    routed_at = serializers.DateTimeField(allow_null=True)
    verdict = serializers.ChoiceField(choices=Verdict.choices, allow_blank=True)
    reason = serializers.CharField(allow_blank=True)
    sentence = serializers.CharField()
    condition = serializers.DictField(allow_null=True)
    runs = SignalOnRunSerializer(many=True)
    as_of = serializers.DateTimeField()
