"""What a run waits for, described to OpenAPI."""

from typing import Any

from rest_framework import serializers


class ThenSerializer(serializers.Serializer[Any]):
    """Where it leads: to a step, or to an end."""

    step = serializers.CharField(required=False)
    attempt = serializers.IntegerField(required=False)
    of = serializers.IntegerField(required=False, help_text="How many attempts there may be.")
    state = serializers.ChoiceField(choices=["completed", "stopped", "expired"], required=False)
    reason = serializers.CharField(required=False)
    compensate = serializers.BooleanField(required=False, help_text="True: what was done is undone then.")


class AwaitedSignalSerializer(serializers.Serializer[Any]):
    """A signal that ends the wait."""

    signal = serializers.CharField()
    match = serializers.DictField(
        child=serializers.CharField(),
        allow_null=True,
        help_text="Values it must carry; null: it must be about the run's subject.",
    )
    when = serializers.DictField(allow_null=True, help_text="The condition it must meet, as declared.")
    then = ThenSerializer()


class AwaitedApprovalSerializer(serializers.Serializer[Any]):
    """A decision that ends the wait."""

    actors = serializers.ListField(child=serializers.CharField(), help_text="Who may decide; empty: anybody.")
    on_approve = ThenSerializer()
    on_reject = ThenSerializer()
    remind_at = serializers.DateTimeField(allow_null=True)


class WaitingSerializer(serializers.Serializer[Any]):
    """The open wait."""

    step = serializers.CharField()
    visit = serializers.IntegerField()
    opened_at = serializers.DateTimeField()
    signals = AwaitedSignalSerializer(many=True)
    due_at = serializers.DateTimeField(allow_null=True)
    on_timeout = ThenSerializer(allow_null=True)
    approval = AwaitedApprovalSerializer(allow_null=True, help_text="Null when no decision is asked for.")
