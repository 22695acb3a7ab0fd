"""Schedules as REST reads and shows them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from workflows.models import MissedPolicy, Schedule
from workflows.services.schedules import MOST_MISSED, MOST_SUBJECTS

_MISSED = "What is made up for after a downtime: nothing (skip), the latest occurrence, or all up to most_missed."


class PreviewSerializer(StrictSerializer):
    """A cron expression and where it is read."""

    expression = serializers.CharField(
        max_length=100, help_text="Five fields: minute, hour, day of the month, month, weekday."
    )
    zone = serializers.CharField(max_length=64, required=False, default="UTC")


class ScheduleChangeSerializer(StrictSerializer):
    """What of a schedule can change."""

    workflow = serializers.CharField(source="definition_key", required=False, help_text="The key of a definition.")
    version = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2**31 - 1, help_text="null: the latest, each time."
    )
    expression = serializers.CharField(max_length=100, required=False)
    zone = serializers.CharField(max_length=64, required=False, help_text="The tenant's own when left out.")
    subjects = serializers.ListField(
        child=serializers.CharField(max_length=200), required=False, max_length=MOST_SUBJECTS, help_text="One run each."
    )
    correlation = serializers.DictField(required=False)
    data = serializers.DictField(required=False, help_text="What each run starts with.")  # type: ignore[assignment]
    missed = serializers.ChoiceField(choices=MissedPolicy.choices, required=False, help_text=_MISSED)
    most_missed = serializers.IntegerField(min_value=1, max_value=MOST_MISSED, required=False)
    enabled = serializers.BooleanField(required=False)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Every weekday at nine",
            value={
                "key": "daily_digest",
                "workflow": "digest",
                "expression": "0 9 * * 1-5",
                "zone": "Europe/Berlin",
                "subjects": ["ada", "grace"],
                "missed": "latest",
            },
            request_only=True,
        )
    ]
)
class ScheduleInputSerializer(ScheduleChangeSerializer):
    """A new schedule."""

    key = serializers.CharField(max_length=64, help_text="1 to 64 of a-z, 0-9 and _.")
    workflow = serializers.CharField(source="definition_key", help_text="The key of a definition.")
    expression = serializers.CharField(
        max_length=100, help_text="Five fields: minute, hour, day of the month, month, weekday."
    )
    subjects = serializers.ListField(
        child=serializers.CharField(max_length=200), max_length=MOST_SUBJECTS, help_text="One run each."
    )


class ScheduleSerializer(serializers.ModelSerializer[Schedule]):
    """A schedule: what it starts and when."""

    workflow = serializers.CharField(source="definition_key")
    subjects = serializers.ListField(child=serializers.CharField())
    correlation = serializers.DictField(child=serializers.CharField())
    started_at = serializers.DateTimeField(help_text="The latest occurrence that started its runs.", allow_null=True)
    skipped_at = serializers.DateTimeField(
        help_text="The latest occurrence that was missed and not made up for.", allow_null=True
    )
    refused_at = serializers.DateTimeField(help_text="The latest occurrence that could start nothing.", allow_null=True)
    refusal = serializers.CharField(help_text="The code of that refusal.", allow_blank=True)

    class Meta:
        model = Schedule
        fields = [
            "key",
            "workflow",
            "version",
            "expression",
            "zone",
            "subjects",
            "correlation",
            "missed",
            "most_missed",
            "enabled",
            "next_at",
            "started_at",
            "skipped_at",
            "refused_at",
            "refusal",
            "created_at",
            "updated_at",
        ]


class OccurrencesSerializer(serializers.Serializer[Any]):
    """Occurrences to come."""

    upcoming = serializers.ListField(child=serializers.DateTimeField(), help_text="The next five, in UTC.")


class ScheduleDetailSerializer(ScheduleSerializer):
    """A schedule with its data and its next occurrences."""

    data = serializers.DictField()  # type: ignore[assignment]
    upcoming = serializers.ListField(child=serializers.DateTimeField(), help_text="The next five, in UTC.")

    class Meta(ScheduleSerializer.Meta):
        fields = [*ScheduleSerializer.Meta.fields, "data", "upcoming"]
