"""Retention in REST: what goes in and what comes out."""

from typing import Any

from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from workflows.api.run_schemas import HexField
from workflows.models.retention import HoldOn, Kept, LegalHold, PruneOrder, RetentionPolicy
from workflows.models.tombstone import Tombstone

TAG = ["Retention"]


class PolicySerializer(serializers.ModelSerializer[RetentionPolicy]):
    """How long one kind of thing is kept."""

    class Meta:
        model = RetentionPolicy
        fields = ["what", "days", "is_automatic", "archives", "changed_by", "changed_at"]
        read_only_fields = fields


class PoliciesSerializer(serializers.Serializer[Any]):
    """What has no policy is kept for ever."""

    policies = PolicySerializer(many=True)


class SetPolicySerializer(StrictSerializer):
    """A policy."""

    days = serializers.IntegerField(min_value=1)
    is_automatic = serializers.BooleanField(default=False, help_text="Pruned by itself; otherwise only by an order.")
    archives = serializers.BooleanField(default=False, help_text="Runs only: written to a file first.")


class PlannedPartSerializer(serializers.Serializer[Any]):
    """What one policy would take away."""

    what = serializers.ChoiceField(source="part.what", choices=Kept.choices)
    days = serializers.IntegerField()
    before = serializers.DateTimeField(source="part.before", help_text="What ended, or came, before this.")
    count = serializers.IntegerField(source="measure.count")
    held = serializers.IntegerField(source="measure.held", help_text="How many legal holds keep.")
    oldest = serializers.DateTimeField(source="measure.oldest", allow_null=True)


class PlanSerializer(serializers.Serializer[Any]):
    """What would be pruned. Order it by its token; when anything of it has changed by then, nothing is pruned."""

    plan = serializers.CharField(source="token")
    as_of = serializers.DateTimeField()
    parts = PlannedPartSerializer(many=True)


class OrderPruneSerializer(StrictSerializer):
    """The approval of a plan."""

    plan = serializers.CharField(max_length=64, help_text="Its token.")
    reason = serializers.CharField(max_length=200, help_text="Kept on every tombstone.")


class PruneOrderSerializer(serializers.ModelSerializer[PruneOrder]):
    """How far an order has come."""

    id = serializers.UUIDField(source="public_id")
    pruned = serializers.DictField(child=serializers.IntegerField(), help_text="How many rows of each kind, so far.")

    class Meta:
        model = PruneOrder
        fields = ["id", "plan", "reason", "ordered_by", "ordered_at", "pruned", "finished_at"]


class HoldSerializer(serializers.ModelSerializer[LegalHold]):
    """A legal hold."""

    id = serializers.UUIDField(source="public_id")

    class Meta:
        model = LegalHold
        fields = ["id", "on", "value", "reason", "placed_by", "placed_at", "released_by", "released_at"]


class PlaceHoldSerializer(StrictSerializer):
    """What is to be held, and why."""

    on = serializers.ChoiceField(choices=HoldOn.choices)
    value = serializers.CharField(max_length=200, help_text="The id of a run, a subject, or the key of a definition.")
    reason = serializers.CharField(max_length=200)


class TombstoneSerializer(serializers.ModelSerializer[Tombstone]):
    """What stays of a run that was pruned."""

    run = serializers.UUIDField(source="run_public_id")
    workflow = serializers.CharField(source="definition_key")
    last_hash = HexField(help_text="Of the last line of its trace.")
    length = serializers.IntegerField(help_text="How many lines its trace had.")

    class Meta:
        model = Tombstone
        fields = [
            "run",
            "workflow",
            "version",
            "state",
            "length",
            "last_hash",
            "created_at",
            "finished_at",
            "replayed_from",
            "pruned_by",
            "reason",
            "archive",
            "pruned_at",
        ]
