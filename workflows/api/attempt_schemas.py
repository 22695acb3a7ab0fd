"""What REST is told of attempts of workers that are not ours, and what it answers."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from workflows.api.visits import VisitSerializer
from workflows.services.attempts_by_hand import LONGEST_LEASE, LONGEST_WORKER


class WorkerSerializer(VisitSerializer):
    """Which visit of which step it is, and who is at it."""

    worker = serializers.CharField(max_length=LONGEST_WORKER, help_text="Who does it: the same with every call.")


class BeginSerializer(WorkerSerializer):
    """And whether it may begin before its time."""

    lease_seconds = serializers.IntegerField(
        required=False, min_value=1, max_value=LONGEST_LEASE, help_text="How long it is the worker's, unless renewed."
    )
    early = serializers.BooleanField(required=False, default=False, help_text="Although its next try is not due yet.")


class HoldingSerializer(WorkerSerializer):
    """The attempt that was begun."""

    fence = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="As the begin answered it.")


class RenewSerializer(HoldingSerializer):
    """And for how long."""

    lease_seconds = serializers.IntegerField(required=False, min_value=1, max_value=LONGEST_LEASE)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Done",
            value={"step": "letter", "worker": "ada", "fence": 1, "outcome": "succeeded"},
            request_only=True,
        )
    ]
)
class CompleteSerializer(HoldingSerializer):
    """How it ended."""

    outcome = serializers.CharField(max_length=32, help_text="A word of the step's kind.")
    answer = serializers.DictField(required=False, help_text="What came back, where the step keeps an `answer`.")


class FailSerializer(HoldingSerializer):
    """Why it failed, and whether it may be tried again."""

    error = serializers.CharField(max_length=200, help_text="A code, never a value.")
    retryable = serializers.BooleanField(required=False, default=True)
    retry_after = serializers.FloatField(required=False, min_value=0, help_text="Seconds to leave before the next try.")
    maybe_done = serializers.BooleanField(required=False, default=False, help_text="It may have taken effect.")


class PastSerializer(VisitSerializer):
    """An attempt that was made elsewhere."""

    number = serializers.IntegerField(min_value=1, max_value=2**31 - 1, help_text="The next one of the step run.")
    outcome = serializers.CharField(max_length=32)
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField()
    error = serializers.CharField(required=False, default="", allow_blank=True, max_length=200)
    retryable = serializers.BooleanField(required=False, default=False)
    worker = serializers.CharField(required=False, default="import", max_length=100)


class HeldSerializer(serializers.Serializer[Any]):
    """An attempt that is under way."""

    key = serializers.CharField(help_text="The effect key: the same for every try of the visit.")
    step = serializers.CharField()
    visit = serializers.IntegerField()
    number = serializers.IntegerField()
    fence = serializers.IntegerField()
    worker = serializers.CharField()
    lease_until = serializers.DateTimeField(help_text="Until when it is the worker's, unless it is renewed.")


class EndedSerializer(serializers.Serializer[Any]):
    """What the end of an attempt decided."""

    outcome = serializers.CharField(source="outcome.word")
    retry_at = serializers.DateTimeField(allow_null=True, help_text="When it is tried again; null: it is over.")
