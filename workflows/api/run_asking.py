"""What REST is asked to do with runs, and what it answers; with examples of both."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from chimeway_py.text import LONGEST_REASON
from workflows.services.companions import companions
from workflows.states import RunState

_RUN_ID = "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10"


class RunInputSerializer(serializers.Serializer[Any]):
    """What one run starts with."""

    subject = serializers.CharField(max_length=200, help_text="Whom the run is about.")
    correlation = serializers.DictField(
        required=False, help_text="Values that tie signals to it: text, whole numbers or booleans, by declared name."
    )
    data = serializers.DictField(required=False, help_text="What templates and conditions see.")  # type: ignore[assignment]
    idempotency_key = serializers.CharField(
        required=False, max_length=255, help_text="The same key again answers with the run it started."
    )
    at = serializers.DateTimeField(required=False, help_text="When it begins, with an offset; now when left out.")

    def get_fields(self) -> dict[str, Any]:
        """With what other apps let a start say besides."""
        beside = {
            name: serializers.DictField(required=False, help_text=one.description) for name, one in companions().items()
        }
        return super().get_fields() | beside


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "One subject",
            value={
                "workflow": "invoice_dunning",
                "subject": "customer_42",
                "correlation": {"invoice_id": "in_1001"},
                "data": {"customer_id": "customer_42", "invoice_id": "in_1001", "email": "ada@example.com"},
                "idempotency_key": "in_1001",
            },
            request_only=True,
        ),
        OpenApiExample(
            "Many subjects alike", value={"workflow": "welcome", "subjects": ["ada", "grace"]}, request_only=True
        ),
    ]
)
class StartSerializer(RunInputSerializer):
    """Runs to start: of one `subject`, of many `subjects` alike, or of `runs` that each say their own."""

    workflow = serializers.CharField(help_text="The key of a definition.")
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="The latest published one when left out."
    )
    on_duplicate = serializers.ChoiceField(
        required=False,
        choices=["return", "skip"],
        help_text="What a start under a used idempotency key is told: the run (return), or that it was skipped.",
    )
    subject = serializers.CharField(required=False, max_length=200)
    subjects = serializers.ListField(
        child=serializers.CharField(max_length=200),
        required=False,
        max_length=1000,
        help_text="One run each; an idempotency_key is extended by `:` and the subject.",
    )
    runs = serializers.ListField(child=RunInputSerializer(), required=False, max_length=1000)


class StartedRunSerializer(serializers.Serializer[Any]):
    """A run that was asked for: made now, or met under its idempotency key."""

    id = serializers.UUIDField(source="public_id")
    created = serializers.BooleanField(help_text="False when an earlier request started it.")
    skipped = serializers.BooleanField(help_text="True when an earlier request started it and `on_duplicate` is skip.")
    cancelled = serializers.BooleanField(help_text="True when a sticky cancel was waiting for it.")


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Started",
            value={"runs": [{"id": _RUN_ID, "created": True, "skipped": False, "cancelled": False}]},
            response_only=True,
        )
    ]
)
class StartedSerializer(serializers.Serializer[Any]):
    """An answer for each run, in the order of the request."""

    runs = StartedRunSerializer(many=True)


class ReasonSerializer(StrictSerializer):
    """Why it is asked; the trace keeps it."""

    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, default="", allow_blank=True)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "And undo it", value={"reason": "customer changed their mind", "compensate": True}, request_only=True
        )
    ]
)
class CancelSerializer(ReasonSerializer):
    """Why, and whether what was done is undone."""

    compensate = serializers.BooleanField(
        required=False, default=False, help_text="Undo afterwards what steps with `compensate` did."
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Until Monday",
            value={"reason": "the shop is closed", "until": "2026-11-23T08:00:00Z"},
            request_only=True,
        )
    ]
)
class PauseSerializer(ReasonSerializer):
    """Why, and for how long."""

    until = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="When it goes on by itself; left out: when resumed."
    )


@extend_schema_serializer(
    examples=[OpenApiExample("A week more", value={"deadline_at": "2026-12-01T09:00:00Z"}, request_only=True)]
)
class RunPatchSerializer(ReasonSerializer):
    """Times to change; what is left out keeps its value."""

    deadline_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="When the run expires whatever it is doing; null: never."
    )
    suspended_until = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Of a paused run: when it goes on by itself; null: when resumed."
    )


@extend_schema_serializer(
    examples=[
        OpenApiExample("Many", value={"runs": [_RUN_ID], "reason": "customer asked for it"}, request_only=True),
    ]
)
class CancelManySerializer(CancelSerializer):
    """Runs to end."""

    runs = serializers.ListField(child=serializers.UUIDField(), min_length=1, max_length=1000)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Ended with an attempt in flight",
            value={
                "id": _RUN_ID,
                "verdict": "moved",
                "state": "cancelled",
                "revision": 7,
                "in_flight": ["email attempt 2"],
                "compensates": [],
                "why": "",
                "replay": None,
            },
            response_only=True,
        )
    ]
)
class ControlVerdictSerializer(serializers.Serializer[Any]):
    """What was done to one run."""

    id = serializers.UUIDField(source="public_id")
    verdict = serializers.ChoiceField(
        choices=["moved", "refused"], help_text="refused: the run was left as it is, in `state`."
    )
    state = serializers.ChoiceField(choices=RunState.choices)
    revision = serializers.IntegerField(help_text="Of the run now, for If-Match.")
    in_flight = serializers.ListField(
        child=serializers.CharField(), help_text="Attempts that a worker had begun: they may still take effect."
    )
    compensates = serializers.ListField(
        child=serializers.CharField(), help_text="Steps that will be undone, in this order; a later visit has a number."
    )
    why = serializers.CharField(allow_blank=True, help_text="Of a refusal: one sentence for people, which may change.")
    replay = serializers.UUIDField(allow_null=True, help_text="Of a replay: the run that it started.")


class ControlVerdictsSerializer(serializers.Serializer[Any]):
    """A verdict for each run, in the order of the request."""

    runs = ControlVerdictSerializer(many=True)
