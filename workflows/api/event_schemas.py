"""Events and their subscriptions, as REST reads and shows them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from workflows.events.subscriptions import LONGEST_DESCRIPTION
from workflows.events.types import SUBSCRIBABLE, EventType
from workflows.models import DispatchStatus, Event, EventAttempt, EventDispatch, EventSubscription

MOST_ATTEMPTS_SHOWN = 20


class LiveSecretSerializer(serializers.Serializer[Any]):
    """A secret: when it was made and when it ends. Never the secret."""

    created_at = serializers.DateTimeField()
    not_after = serializers.DateTimeField(allow_null=True)


class EventSubscriptionSerializer(serializers.ModelSerializer[EventSubscription]):
    """A receiver of events, and how well it does."""

    id = serializers.UUIDField(source="public_id")
    types = serializers.ListField(child=serializers.ChoiceField(choices=SUBSCRIBABLE), help_text="Empty: all.")
    secrets = LiveSecretSerializer(many=True, help_text="Newest first.")
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Every try since then failed.")
    hold_until = serializers.DateTimeField(allow_null=True, help_text="Nothing is tried before, for it did not answer.")

    class Meta:
        model = EventSubscription
        fields = [
            "id", "key", "url", "types", "description", "enabled", "disabled_reason", "disabled_at", "failing_since",
            "failures", "hold_until", "succeeded_at", "secrets", "created_at", "updated_at",
        ]  # fmt: skip


class EventSubscriptionSecretSerializer(EventSubscriptionSerializer):
    """A subscription with the secret that was just made for it."""

    secret = serializers.CharField(
        required=False, help_text="`whsec_…`, shown this once, and in no replay; empty when none was made."
    )

    class Meta(EventSubscriptionSerializer.Meta):
        fields = [*EventSubscriptionSerializer.Meta.fields, "secret"]


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Ends of runs, to a CRM",
            value={"url": "https://crm.example.com/hooks/chimeway", "types": ["run.completed", "run.failed"]},
            request_only=True,
        )
    ]
)
class PutEventSubscriptionSerializer(StrictSerializer):
    """Where events go, and which."""

    url = serializers.CharField(max_length=2000, help_text="https, on the public internet.")
    types = serializers.ListField(
        child=serializers.ChoiceField(choices=SUBSCRIBABLE),
        default=list,
        max_length=len(SUBSCRIBABLE),
        help_text="Empty: all, also those to come.",
    )
    description = serializers.CharField(default="", allow_blank=True, max_length=LONGEST_DESCRIPTION)
    enabled = serializers.BooleanField(default=True)


class RotateEventSecretSerializer(StrictSerializer):
    """How long the secrets of before go on signing."""

    overlap = serializers.CharField(default="P1D", max_length=40, help_text="ISO 8601, from PT0S to P30D.")


class ReplayEventsSerializer(StrictSerializer):
    """Which events are sent again. `from` or `after` is needed."""

    after = serializers.UUIDField(required=False, help_text="Those recorded after this event.")
    to = serializers.DateTimeField(source="until", required=False, help_text="Exclusive; now when left out.")
    include_delivered = serializers.BooleanField(default=False, help_text="Also what its receiver has taken.")
    dry_run = serializers.BooleanField(default=False, help_text="Only count.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """`from` is a word of Python's."""
        start = serializers.DateTimeField(source="since", required=False, help_text="Inclusive.")
        return {"from": start, **super().get_fields()}


class ReplayedEventsSerializer(serializers.Serializer[Any]):
    """What a replay came to."""

    count = serializers.IntegerField(help_text="Events that are sent again; of a dry run, that would be.")
    next_after = serializers.UUIDField(allow_null=True, help_text="Go on with this as `after`; null when that is all.")


class ResendEventSerializer(StrictSerializer):
    """To whom an event is sent again."""

    subscription = serializers.CharField(max_length=64, help_text="The key of a subscription.")


class EventAttemptSerializer(serializers.ModelSerializer[EventAttempt]):
    """One try: the answer's status or a code for why there was none, never a body."""

    class Meta:
        model = EventAttempt
        fields = ["number", "status_code", "error", "started_at", "duration_ms"]


class EventDispatchSerializer(serializers.ModelSerializer[EventDispatch]):
    """One event on its way to one subscription."""

    event_id = serializers.UUIDField(source="event.public_id")
    type = serializers.ChoiceField(choices=EventType.values, source="event.type")
    subscription = serializers.CharField(source="subscription.key")
    status = serializers.ChoiceField(choices=DispatchStatus.values)
    due_at = serializers.DateTimeField(allow_null=True, help_text="The next try, or the end of a running one's lease.")
    attempts = serializers.SerializerMethodField(help_text=f"The latest {MOST_ATTEMPTS_SHOWN}, in order.")

    class Meta:
        model = EventDispatch
        fields = [
            "event_id", "type", "subscription", "status", "attempts_made", "due_at", "created_at", "settled_at",
            "attempts",
        ]  # fmt: skip

    @extend_schema_field(EventAttemptSerializer(many=True))
    def get_attempts(self, row: EventDispatch) -> Any:
        """Its tries."""
        tries = sorted(row.attempts.all(), key=lambda one: one.number)[-MOST_ATTEMPTS_SHOWN:]
        return EventAttemptSerializer(tries, many=True).data


class EventSerializer(serializers.ModelSerializer[Event]):
    """Something that happened. The id is the `webhook-id` that it is sent under."""

    id = serializers.UUIDField(source="public_id")
    type = serializers.ChoiceField(choices=EventType.values)
    run_id = serializers.UUIDField(source="run_public_id", allow_null=True)
    data = serializers.DictField(help_text="Names, ids and states.")  # type: ignore[assignment]

    class Meta:
        model = Event
        fields = ["id", "type", "run_id", "data", "occurred_at"]


class EventDetailSerializer(EventSerializer):
    """An event with how it went to each subscription that it was owed to."""

    dispatches = EventDispatchSerializer(many=True)

    class Meta(EventSerializer.Meta):
        fields = [*EventSerializer.Meta.fields, "dispatches"]
