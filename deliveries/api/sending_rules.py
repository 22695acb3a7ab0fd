"""REST: when a tenant's messages may go out, and how many."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import read_object
from chimeway_py.errors import Invalid, fault
from deliveries.models import SendingRules
from deliveries.timing.reading import THEN
from deliveries.timing.storing import put_sending_rules, sending_rules
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.steps.resting import WEEKDAYS

TAG = ["Sending rules"]


class PeriodSerializer(serializers.Serializer[Any]):
    """A quiet period of each day, past midnight when it ends before it begins."""

    to = serializers.CharField(help_text="HH:MM by the recipient's clock.")
    weekdays = serializers.ListField(
        child=serializers.ChoiceField(choices=WEEKDAYS), required=False, help_text="Days on which it begins."
    )
    channels = serializers.ListField(child=serializers.CharField(), required=False, help_text="Left out: all.")

    def get_fields(self) -> dict[str, Any]:
        """With `from`, which is no name in Python."""
        return {"from": serializers.CharField(help_text="HH:MM by the recipient's clock."), **super().get_fields()}

    def to_representation(self, instance: Any) -> Any:
        """As it was said."""
        return dict(instance)


class CapSerializer(serializers.Serializer[Any]):
    """At most `limit` messages over one channel to one recipient within `per`."""

    name = serializers.CharField(max_length=64)
    channel = serializers.CharField()
    category = serializers.CharField(required=False, help_text="Only of this category.")
    limit = serializers.IntegerField(min_value=1, max_value=1000)
    per = serializers.CharField(help_text="An ISO 8601 duration up to P31D.")
    then = serializers.ChoiceField(choices=THEN, help_text="What becomes of one more.")

    def to_representation(self, instance: Any) -> Any:
        """As it was said."""
        return dict(instance)


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Nights are quiet, and three texts a day are enough",
            value={
                "quiet_hours": [{"from": "22:00", "to": "07:00"}],
                "caps": [{"name": "mails", "channel": "email", "limit": 3, "per": "P1D", "then": "delay"}],
            },
            request_only=True,
        )
    ]
)
class PutSendingRulesSerializer(serializers.Serializer[Any]):
    """All rules."""

    quiet_hours = PeriodSerializer(many=True, required=False)
    caps = CapSerializer(many=True, required=False)


class SendingRulesSerializer(PutSendingRulesSerializer):
    """All rules as they are."""

    updated_at = serializers.DateTimeField()


class SendingRulesView(TenantView):
    """When messages may go out, and how many."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="sending_rules_get",
        summary="Quiet hours and caps",
        responses=answers(SendingRulesSerializer),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """Empty lists when nothing was said."""
        return Response(_shown(sending_rules(tenant_id=self.tenant_id)))

    @extend_schema(
        operation_id="sending_rules_put",
        summary="Store quiet hours and caps",
        description="These and no others. What is held already is judged anew soon after.",
        parameters=[IDEMPOTENCY_KEY],
        request=PutSendingRulesSerializer,
        responses=answers(SendingRulesSerializer, 400),
        tags=TAG,
    )
    def put(self, request: Request) -> Response:
        """All rules as they are now."""
        body = read_object(request)
        unknown = [name for name in body if name not in ("quiet_hours", "caps")]
        if unknown:
            faults = [fault(f"/{name}", "unknown_key", "No such member.") for name in unknown]
            raise Invalid("The sending rules are not valid.", faults)
        said = {name: body.get(name, []) for name in ("quiet_hours", "caps")}
        return Response(_shown(put_sending_rules(tenant_id=self.tenant_id, **said)))


def _shown(rules: SendingRules) -> Any:
    return SendingRulesSerializer(rules).data
