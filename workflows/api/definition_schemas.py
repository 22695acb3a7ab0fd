"""Definitions in REST: what goes in, what comes out, and examples of both."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from workflows.models import Definition

TAG = ["Definitions"]
"""Where OpenAPI lists them."""

EXAMPLE = {
    "key": "invoice_reminder",
    "start_on": {
        "signal": "invoice.payment_failed",
        "subject": "data.customer_id",
        "correlate": {"invoice_id": "data.invoice_id"},
    },
    "deadline": "P30D",
    "templates": {"reminder": {"subject": "Your invoice", "text": "Invoice {{ data.invoice_id }} is still open."}},
    "steps": [
        {
            "key": "grace",
            "kind": "wait",
            "for": "P2D",
            "signals": [
                {"name": "invoice.paid", "match": {"invoice_id": "run.correlation.invoice_id"}, "then": "complete"}
            ],
        },
        {"key": "remind", "kind": "deliver", "channel": "email", "template": "reminder", "to": "data.email"},
    ],
}


@extend_schema_serializer(examples=[OpenApiExample("A reminder", value=EXAMPLE, request_only=True)])
class DocumentSerializer(serializers.Serializer[Any]):
    """A definition: JSON, or YAML as `application/yaml`. `GET /v1/definitions/schema` has the whole of its schema."""

    key = serializers.RegexField(r"^[a-z0-9_]{1,64}$")
    name = serializers.CharField(required=False, max_length=200)
    description = serializers.CharField(required=False, max_length=2000)
    start_on = serializers.DictField(required=False, help_text="The signal that starts runs.")
    correlation = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="Names of correlation values of runs started by REST."
    )
    deadline = serializers.CharField(required=False, help_text="An ISO 8601 duration without months.")
    data_schema = serializers.DictField(required=False, help_text="JSON Schema of the data that a run starts with.")
    templates = serializers.DictField(required=False, help_text="Liquid templates that the steps refer to.")
    steps = serializers.ListField(child=serializers.DictField(), min_length=1, max_length=200)


class VersionSerializer(serializers.ModelSerializer[Definition]):
    """One version of a definition, without its document."""

    id = serializers.UUIDField(source="public_id")

    class Meta:
        model = Definition
        fields = [
            "id",
            "key",
            "version",
            "status",
            "checksum",
            "start_signal",
            "created_at",
            "published_at",
            "retired_at",
        ]


class DefinitionSerializer(VersionSerializer):
    """One version of a definition."""

    document = serializers.SerializerMethodField()

    class Meta(VersionSerializer.Meta):
        fields = [*VersionSerializer.Meta.fields, "document"]

    @extend_schema_field(DocumentSerializer)
    def get_document(self, row: Definition) -> dict[str, Any]:
        """The document as it was saved."""
        return row.document  # type: ignore[no-any-return]


class FaultSerializer(serializers.Serializer[Any]):
    """One fault."""

    path = serializers.CharField(allow_blank=True, help_text="A JSON Pointer into the document.")
    code = serializers.CharField()
    message = serializers.CharField(help_text="Names the field and the fix.")


class JudgementSerializer(serializers.Serializer[Any]):
    """What `validate` found."""

    valid = serializers.BooleanField()
    faults = FaultSerializer(many=True)


class ChangeSerializer(serializers.Serializer[Any]):
    """One difference between two versions."""

    path = serializers.CharField(help_text="A JSON Pointer in which a step goes by its key: /steps/email/to.")
    kind = serializers.ChoiceField(choices=["added", "removed", "changed", "moved"])
    before = serializers.JSONField(allow_null=True, help_text="The value, or the position of a step that moved.")
    after = serializers.JSONField(allow_null=True)


class ChangesSerializer(serializers.Serializer[Any]):
    """All differences between two versions."""

    changes = ChangeSerializer(many=True)
