"""The kill switch of a definition in REST."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.serializers import StrictSerializer, read_input
from chimeway_py.text import LONGEST_REASON
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.definition_schemas import TAG
from workflows.models import DefinitionSwitch, SwitchLevel
from workflows.services.definitions import require_definition
from workflows.services.switches import switch_changes, switch_definition, switch_of
from workflows.states import Cause


@extend_schema_serializer(
    examples=[
        OpenApiExample(
            "Hold everything", value={"level": "all_off", "reason": "wrong price in the mail"}, request_only=True
        )
    ]
)
class SwitchInputSerializer(StrictSerializer):
    """How a definition is to be switched, and why."""

    level = serializers.ChoiceField(choices=SwitchLevel.choices)
    reason = serializers.CharField(max_length=LONGEST_REASON)


class SwitchChangeSerializer(serializers.Serializer[Any]):
    """One change of the switch."""

    level = serializers.ChoiceField(choices=SwitchLevel.choices)
    reason = serializers.CharField(source="why", allow_blank=True)
    cause = serializers.CharField(allow_blank=True)
    cause_ref = serializers.CharField(allow_blank=True)
    changed_at = serializers.DateTimeField()


class SwitchSerializer(serializers.Serializer[Any]):
    """How a definition is switched now, and who switched it before: the latest 50 changes, newest first."""

    key = serializers.CharField()
    level = serializers.ChoiceField(choices=SwitchLevel.choices)
    changes = SwitchChangeSerializer(many=True)


class SwitchView(TenantView):
    """Look at the switch of a definition, or throw it."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="definitions_switch_get",
        summary="Whether a definition is switched off, and who switched it",
        tags=TAG,
        responses=answers(SwitchSerializer, 404),
    )
    def get(self, request: Request, key: str) -> Response:
        """A definition that was never switched is on."""
        require_definition(tenant_id=self.tenant_id, key=key)
        return self._told(switch_of(tenant_id=self.tenant_id, key=key))

    @extend_schema(
        operation_id="definitions_switch",
        summary="Switch a definition off or on, whatever its versions",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=SwitchInputSerializer,
        responses=answers(SwitchSerializer, 400, 404, 409),
    )
    def put(self, request: Request, key: str) -> Response:
        """Nothing new is started after the answer, and with `all_off` nothing new is sent either."""
        asked = read_input(SwitchInputSerializer, request)
        switch = switch_definition(
            tenant_id=self.tenant_id,
            key=key,
            level=asked["level"],
            cause=Cause.API,
            cause_ref=caller_of(request).prefix,
            why=asked["reason"],
        )
        return self._told(switch)

    def _told(self, switch: DefinitionSwitch) -> Response:
        changes = switch_changes(tenant_id=self.tenant_id, key=switch.key)
        return Response(SwitchSerializer({"key": switch.key, "level": switch.level, "changes": changes}).data)
