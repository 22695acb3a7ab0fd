"""Signals in REST: what goes in, what comes out, and examples of both."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer
from rest_framework import serializers

from signals_app.models import Signal
from signals_app.verdicts import Verdict


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "A payment failed",
            value={
                "name": "invoice.payment_failed",
                "subject": "customer_42",
                "correlation": {"invoice_id": "in_1001"},
                "data": {"customer_id": "customer_42", "invoice_id": "in_1001", "amount": 4900},
                "external_id": "evt_77f1",
                "occurred_at": "2026-11-20T09:30:00Z",
            },
            request_only=True,
        )
    ]
)
class SignalInputSerializer(serializers.Serializer[Any]):
    """What happened. Read by `signals_app.api.reading`, which says the same in code."""

    name = serializers.RegexField(r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=100)
    subject = serializers.CharField(required=False, allow_blank=True, max_length=200, help_text="Whom it is about.")
    correlation = serializers.DictField(  # the values are text, whole numbers or booleans
        required=False, help_text="Values that tie it to runs: up to 8 names with text, whole numbers or booleans."
    )
    data = serializers.DictField(required=False, help_text="Anything else, as a JSON object.")  # type: ignore[assignment]
    external_id = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="Your id of it. The same id with the same body is a duplicate, with another body a conflict.",
    )
    occurred_at = serializers.DateTimeField(required=False, help_text="With an offset; now when left out.")


class SignalBatchSerializer(serializers.Serializer[Any]):
    """Up to 1000 signals, accepted all or none, in this order."""

    signals = serializers.ListField(child=SignalInputSerializer(), min_length=1, max_length=1000)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Accepted",
            value={
                "id": "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10",
                "external_id": "evt_77f1",
                "status": "accepted",
                "received_at": "2026-11-20T09:30:01Z",
            },
            response_only=True,
        )
    ]
)
class ReceiptSerializer(serializers.Serializer[Any]):
    """The signal is stored and will be routed. A duplicate gets the receipt of the first."""

    id = serializers.UUIDField(source="public_id")
    external_id = serializers.CharField()
    status = serializers.ChoiceField(choices=["accepted", "duplicate"])
    received_at = serializers.DateTimeField()


class ReceiptsSerializer(serializers.Serializer[Any]):
    """A receipt for each signal of a batch, in its order."""

    receipts = ReceiptSerializer(many=True)


class SignalSerializer(serializers.ModelSerializer[Signal]):
    """A signal and its overall verdict (null until it is routed)."""

    id = serializers.UUIDField(source="public_id")
    correlation = serializers.DictField(child=serializers.CharField())
    verdict = serializers.ChoiceField(choices=Verdict.choices, allow_null=True)

    class Meta:
        model = Signal
        fields = [
            "id",
            "external_id",
            "source",
            "name",
            "subject",
            "correlation",
            "occurred_at",
            "received_at",
            "routed_at",
            "verdict",
            "verdict_reason",
            "duplicate_count",
            "last_duplicate_at",
        ]


class CandidateVerdictSerializer(serializers.Serializer[Any]):
    """What the signal came to for one run."""

    run = serializers.UUIDField()
    definition = serializers.CharField()
    step = serializers.CharField(allow_blank=True)
    verdict = serializers.ChoiceField(choices=Verdict.choices)
    reason = serializers.CharField(allow_blank=True)
    decided_at = serializers.DateTimeField()


class SignalVerdictsSerializer(SignalSerializer):
    """A signal, its overall verdict, and one for every run it might have concerned."""

    verdicts = CandidateVerdictSerializer(many=True)

    class Meta(SignalSerializer.Meta):
        fields = [*SignalSerializer.Meta.fields, "verdicts"]
