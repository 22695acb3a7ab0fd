"""Broadcasts and segments as REST shows and takes them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from chimeway_py.api.serializers import InstantField, StrictSerializer
from chimeway_py.text import LONGEST_REASON
from deliveries.broadcasts.making import MOST_LISTED, MOST_RATE
from deliveries.broadcasts.standing import sentence
from deliveries.models import Broadcast, Segment

TAG = ["Broadcasts"]
SEGMENTS = ["Segments"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A list",
            value={"workflow": "weekly_news", "subjects": ["ada", "grace"], "data": {"headline": "Hello"}},
            request_only=True,
        ),
        OpenApiExample("A file follows", value={"workflow": "weekly_news", "rate": 6000}, request_only=True),
        OpenApiExample("A segment", value={"workflow": "weekly_news", "segment": "pro"}, request_only=True),
    ]
)
class NewBroadcastSerializer(StrictSerializer):
    """A broadcast to be made: with `subjects`, with a `segment`, or with neither, and then a file follows."""

    workflow = serializers.CharField(max_length=64, help_text="The key of a published definition.")
    version = serializers.IntegerField(required=False, min_value=1, help_text="The latest, if left out. It is frozen.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="For people.")
    subjects = serializers.ListField(
        required=False,
        child=serializers.CharField(max_length=200, trim_whitespace=False, allow_blank=True),
        max_length=MOST_LISTED,
        min_length=1,
    )
    segment = serializers.CharField(required=False, max_length=64, help_text="The key of a segment.")
    data = serializers.DictField(required=False, help_text="What each run starts with; a file may say more.")  # type: ignore[assignment]
    correlation = serializers.DictField(required=False)
    columns = serializers.DictField(
        required=False,
        child=serializers.CharField(allow_blank=True, max_length=150),
        help_text="Of a CSV: what a heading holds, such as data.amount; empty: it is left out.",
    )
    rate = serializers.IntegerField(required=False, min_value=1, max_value=MOST_RATE, help_text="Starts per minute.")


class BroadcastSerializer(serializers.ModelSerializer[Broadcast]):
    """A broadcast, and how far it has come."""

    id = serializers.UUIDField(source="public_id")
    workflow = serializers.CharField(source="definition_key")
    segment = serializers.CharField(source="segment_key")
    passed = serializers.IntegerField(source="cursor", help_text="Targets whose turn has come, started or skipped.")
    skipped = serializers.DictField(
        source="skipped_by_reason", child=serializers.IntegerField(), help_text="By reason."
    )
    sentence = serializers.SerializerMethodField(help_text="For people.")

    class Meta:
        model = Broadcast
        fields = [
            "id", "name", "workflow", "version", "source", "segment", "rate", "status", "note", "failure", "sentence",
            "total", "passed", "started", "skipped", "cancels_runs", "cancelled_runs", "reason", "made_by",
            "ordered_by", "cancelled_by", "created_at", "ordered_at", "due_at", "finished_at",
        ]  # fmt: skip

    def get_sentence(self, row: Broadcast) -> str:
        """Where it stands."""
        return sentence(row)


class BroadcastPreviewSerializer(serializers.Serializer[Any]):
    """What starting the draft would do now."""

    token = serializers.CharField(help_text="Starts this draft as it is, within a day.")
    total = serializers.IntegerField()
    is_whole = serializers.BooleanField(help_text="False: a segment over so many recipients that not all were counted.")
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="Known already, by reason.")
    first = serializers.ListField(child=serializers.CharField(), help_text="The first subjects.")
    looked_at = serializers.IntegerField(help_text="Of how many targets the preferences were asked.")
    held_back = serializers.DictField(
        child=serializers.IntegerField(), help_text="By step: how many of those do not want its message."
    )
    without_address = serializers.DictField(
        child=serializers.IntegerField(), help_text="By step: how many of those it has no address for."
    )
    version = serializers.IntegerField(source="broadcast.version")
    latest_version = serializers.IntegerField(help_text="Of the definition; the broadcast stays on its own.")


class StartBroadcastSerializer(StrictSerializer):
    """The word to begin."""

    token = serializers.CharField(max_length=100, help_text="Of a preview.")
    at = InstantField(required=False, help_text="With an offset; now, if left out.")


class CancelBroadcastSerializer(StrictSerializer):
    """The word to end."""

    reason = serializers.CharField(max_length=LONGEST_REASON)
    runs = serializers.BooleanField(required=False, default=False, help_text="Cancel the runs that it started, too.")


class TargetSerializer(serializers.Serializer[Any]):
    """What became of one target."""

    position = serializers.IntegerField()
    subject = serializers.CharField()
    outcome = serializers.ChoiceField(choices=["waiting", "started", "skipped"])
    reason = serializers.CharField(allow_blank=True, help_text="Why it was skipped.")
    sentence = serializers.CharField(help_text="For people.")
    run_id = serializers.UUIDField(source="run", allow_null=True)


class TargetPageSerializer(serializers.Serializer[Any]):
    """Targets in the order in which they are started."""

    items = TargetSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last.")


class StepOutcomeSerializer(serializers.Serializer[Any]):
    """Messages of one step that stand alike."""

    step = serializers.CharField()
    channel = serializers.CharField()
    status = serializers.CharField()
    count = serializers.IntegerField()
    confirmed = serializers.IntegerField(help_text="Of them, how many a provider reported as arrived.")
    opened = serializers.IntegerField()
    clicked = serializers.IntegerField()


class OutcomesSerializer(serializers.Serializer[Any]):
    """What became of the runs and messages of a broadcast."""

    runs = serializers.DictField(child=serializers.IntegerField(), help_text="How many, by state.")
    deliveries = StepOutcomeSerializer(many=True)


class SegmentSerializer(serializers.ModelSerializer[Segment]):
    """A segment."""

    condition = serializers.DictField()

    class Meta:
        model = Segment
        fields = ["key", "name", "condition", "created_at", "updated_at"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Pro", value={"condition": {"path": "recipient.attributes.plan", "eq": "pro"}}, request_only=True
        )
    ]
)
class PutSegmentSerializer(StrictSerializer):
    """What a segment is."""

    condition = serializers.DictField(help_text="As in definitions; its paths start with `recipient`.")
    name = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="For people.")


class CountSerializer(serializers.Serializer[Any]):
    """How many recipients a segment has now."""

    matches = serializers.IntegerField()
    looked_at = serializers.IntegerField()
    is_whole = serializers.BooleanField(help_text="Whether those are all recipients there are.")
    sample = serializers.ListField(child=serializers.CharField(), help_text="The oldest of them.")
