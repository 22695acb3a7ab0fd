"""REST: what the tenant may use, and what used it up."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import answers
from tenants.api.views import TenantView
from tenants.limits.budget import Budget
from tenants.limits.kinds import LimitKind
from tenants.services import budgets_of


class TakerSerializer(serializers.Serializer[Any]):
    """Who used some of a limit."""

    name = serializers.CharField(help_text="`key cw_<prefix>`, `source <key>`, `in process`, or `others`.")
    taken = serializers.IntegerField()


class BudgetSerializer(serializers.Serializer[Any]):
    """One limit, and what is left of it."""

    limit = serializers.ChoiceField(choices=LimitKind.choices)
    amount = serializers.IntegerField()
    left = serializers.IntegerField()
    seconds = serializers.IntegerField(help_text="In which an empty one is full again; 0 where nothing fills by time.")
    used_by = TakerSerializer(many=True, help_text="In the current minute or day, most first.")


class LimitsSerializer(serializers.Serializer[Any]):
    """Every limit of the tenant; what is not named is not limited."""

    limits = BudgetSerializer(many=True)


class LimitsView(TenantView):
    """The limits of the key's tenant."""

    scopes = {"GET": None}

    @extend_schema(
        operation_id="limits_get",
        summary="What is left of the tenant's limits, and who used it",
        responses=answers(LimitsSerializer),
        tags=["Tenant"],
    )
    def get(self, request: Request) -> Response:
        """Each limit as it stands. The request itself is counted already."""
        return Response(LimitsSerializer({"limits": [_told(one) for one in budgets_of(self.tenant_id)]}).data)


def _told(budget: Budget) -> dict[str, Any]:
    used_by = [{"name": name, "taken": taken} for name, taken in budget.used_by.items()]
    kept = {"limit": budget.kind, "amount": budget.amount, "left": budget.left}
    return {**kept, "seconds": budget.period, "used_by": used_by}
