"""What REST shows, and what it takes."""

from typing import Any

from rest_framework import serializers

from chimeway_py.api.serializers import StrictSerializer
from chimeway_py.text import LONGEST_REASON
from deliveries.models import Delivery, Endpoint, InboxItem
from deliveries.recipients.reading import LONGEST_ADDRESS


class InboxItemSerializer(serializers.ModelSerializer[InboxItem]):
    """One item, to the product that shows it."""

    id = serializers.UUIDField(source="public_id")
    run_id = serializers.UUIDField(source="run_public_id")
    step = serializers.CharField(source="step_key")
    title = serializers.CharField(source="content.title")
    body = serializers.CharField(source="content.body")
    data = serializers.DictField(source="content.data")  # type: ignore[assignment]

    class Meta:
        model = InboxItem
        fields = [
            "id", "run_id", "step", "subject", "title", "body", "data",
            "created_at", "seen_at", "read_at", "archived_at",
        ]  # fmt: skip


class InboxSerializer(serializers.Serializer[Any]):
    """A page of an inbox, newest first, with the numbers of its badge."""

    items = InboxItemSerializer(many=True)
    next = serializers.CharField(allow_null=True, help_text="Cursor of the next page; null on the last.")
    unread = serializers.IntegerField(help_text="Items neither read nor archived, on all pages.")
    unseen = serializers.IntegerField(help_text="Those of them never seen.")


class CountsSerializer(serializers.Serializer[Any]):
    """The numbers of the badge of an inbox."""

    unread = serializers.IntegerField(help_text="Items neither read nor archived.")
    unseen = serializers.IntegerField(help_text="Those of them never seen.")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One delivery, without a word of its content and with the address masked."""

    id = serializers.UUIDField(source="public_id")
    run_id = serializers.UUIDField(source="run.public_id")
    workflow = serializers.CharField(source="definition_key")
    step = serializers.CharField(source="step_key")
    recipient = serializers.CharField(source="recipient_masked")
    resend_of = serializers.UUIDField(source="resend_of.public_id", allow_null=True, default=None)

    class Meta:
        model = Delivery
        fields = [
            "id", "run_id", "workflow", "step", "visit", "channel", "template", "template_version", "locale",
            "category", "subject", "recipient", "status", "error", "decided_by", "decided_rule", "held_until",
            "held_by", "coalesced_into", "provider", "provider_ref", "resend_of", "resend_reason", "stands_in_for",
            "planned_at", "sending_at", "delivered_at", "confirmed_at", "opened_at", "clicked_at",
            "failed_at", "bounced_at", "complained_at", "settled_at",
        ]  # fmt: skip


class ResendSerializer(StrictSerializer):
    """Why a message is sent again."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class BounceSerializer(StrictSerializer):
    """What a provider said of a mail that came back."""

    code = serializers.RegexField(r"^[0-9.]{1,20}\Z", default="", help_text="Such as 5.1.1 (RFC 3463).")


class AddressSerializer(StrictSerializer):
    """An address to look for. It is personal, and comes in no other way than in a body."""

    address = serializers.CharField(
        max_length=LONGEST_ADDRESS,
        help_text="Mail address, phone number, browser subscription as JSON text, key of an endpoint, or chat channel.",
    )


class SecretEndSerializer(serializers.Serializer[Any]):
    """A live secret: when it was made and when it ends. Never the secret."""

    created_at = serializers.DateTimeField()
    not_after = serializers.DateTimeField(allow_null=True)


class EndpointSerializer(serializers.ModelSerializer[Endpoint]):
    """An endpoint. Its secrets are not shown again."""

    id = serializers.UUIDField(source="public_id")
    secrets = SecretEndSerializer(many=True)
    failing_since = serializers.DateTimeField(allow_null=True, help_text="Every try since then failed.")

    class Meta:
        model = Endpoint
        fields = [
            "id", "key", "url", "enabled", "disabled_reason", "disabled_at", "failing_since", "secrets", "created_at",
            "updated_at",
        ]  # fmt: skip


class EndpointSecretSerializer(EndpointSerializer):
    """An endpoint with the secret that was just made for it."""

    secret = serializers.CharField(
        required=False, help_text="`whsec_…`, shown this once, and in no replay; empty when none was made."
    )

    class Meta(EndpointSerializer.Meta):
        fields = [*EndpointSerializer.Meta.fields, "secret"]


class PutEndpointSerializer(StrictSerializer):
    """Where webhooks go."""

    url = serializers.CharField(max_length=2000)
    enabled = serializers.BooleanField(default=True)


class RotateSerializer(StrictSerializer):
    """How long the secrets of before go on signing."""

    overlap = serializers.CharField(default="P1D", max_length=40, help_text="ISO 8601, from PT0S to P30D.")
