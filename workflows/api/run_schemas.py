"""Runs as REST shows them."""

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from workflows.models import Attempt, Run, StepRun, Transition
from workflows.store.reasons import is_address, spoken


def tell_ends(runs: Sequence[Run]) -> None:
    """Put what people said in the place of its address, in runs of one tenant that will be shown."""
    ended = [run for run in runs if is_address(run.terminal_reason)]
    words = (
        spoken(ended[0].tenant_id, [run.pk for run in ended], [run.terminal_reason for run in ended]) if ended else {}
    )
    for run in ended:
        run.terminal_reason = words[run.terminal_reason]


class RunListSerializer(serializers.ListSerializer[Run]):
    """Reads what people said about all runs of a page at once."""

    def to_representation(self, data: Any) -> list[Any]:
        """The runs in words."""
        rows = list(data)
        tell_ends(rows)
        return super().to_representation(rows)


class RunSerializer(serializers.ModelSerializer[Run]):
    """A run: where it stands, without payloads. `explain` says it in a sentence."""

    id = serializers.UUIDField(source="public_id")
    workflow = serializers.CharField(source="definition_key")
    version = serializers.IntegerField()
    correlation = serializers.DictField(child=serializers.CharField())
    visits = serializers.DictField(child=serializers.IntegerField(), help_text="How often each step was entered.")
    reason = serializers.CharField(source="status_reason")

    def to_representation(self, instance: Run) -> dict[str, Any]:
        """The run in words; those of a list have them already."""
        if not isinstance(self.parent, RunListSerializer):
            tell_ends([instance])
        return super().to_representation(instance)

    class Meta:
        model = Run
        list_serializer_class = RunListSerializer
        fields = [
            "id",
            "workflow",
            "version",
            "subject",
            "correlation",
            "state",
            "reason",
            "step",
            "visits",
            "pending_signals",
            "terminal_reason",
            "revision",
            "started_by",
            "started_by_ref",
            "idempotency_key",
            "created_at",
            "due_at",
            "deadline_at",
            "suspended_until",
            "updated_at",
            "finished_at",
        ]


class StepRunSerializer(serializers.ModelSerializer[StepRun]):
    """One visit of a step that does work outside: what it came to."""

    class Meta:
        model = StepRun
        fields = [
            "step",
            "visit",
            "resend",
            "undo",
            "kind",
            "key",
            "status",
            "outcome",
            "attempts_made",
            "lost_attempts",
            "maybe_done",
            "due_at",
            "created_at",
            "finished_at",
        ]


class AttemptSerializer(serializers.ModelSerializer[Attempt]):
    """One try at the work of a step."""

    step = serializers.CharField(source="step_run.step")
    visit = serializers.IntegerField(source="step_run.visit")
    undo = serializers.IntegerField(source="step_run.undo", help_text="0: of the step; n: of the n-th compensation.")
    resend = serializers.IntegerField(source="step_run.resend", help_text="0: the journey's own; n: the n-th resend.")

    class Meta:
        model = Attempt
        fields = [
            "step",
            "visit",
            "resend",
            "undo",
            "number",
            "worker",
            "status",
            "outcome",
            "error",
            "retryable",
            "started_at",
            "finished_at",
            "retry_at",
        ]


class HexField(serializers.CharField):
    """Bytes as hexadecimal text."""

    def to_representation(self, value: Any) -> str:
        """Two digits a byte."""
        return bytes(value).hex()


class TransitionSerializer(serializers.ModelSerializer[Transition]):
    """One line of a trace."""

    context = serializers.DictField(help_text="Structure of what happened: names, ids, digests.")  # type: ignore[assignment]
    prev_hash = HexField(help_text="The hash of the line before.")
    hash = HexField()

    class Meta:
        model = Transition
        fields = [
            "seq",
            "step",
            "visit",
            "delivery",
            "cause",
            "cause_ref",
            "from_state",
            "to_state",
            "reason",
            "context",
            "occurred_at",
            "prev_hash",
            "hash",
        ]


class TraceSerializer(serializers.Serializer[Any]):
    """Some lines of a trace, oldest first."""

    items = TransitionSerializer(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="`after` of the next page; null at the end.")


class RunDetailSerializer(RunSerializer):
    """A run with its lineage, and what `include` asks for."""

    replayed_from = serializers.UUIDField(
        allow_null=True, help_text="The run that this one is a replay of. It may be pruned."
    )
    replays = serializers.ListField(
        child=serializers.UUIDField(), help_text="The latest 200 replays of this run, also those that were pruned."
    )
    steps = StepRunSerializer(many=True, required=False, help_text="With include=steps.")
    attempts = AttemptSerializer(many=True, required=False, help_text="With include=attempts: the latest 200.")
    transitions = TransitionSerializer(many=True, required=False, help_text="With include=transitions: the latest 200.")

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "replayed_from", "replays", "steps", "attempts", "transitions"]
