"""Retention in REST: policies, plans, orders, tombstones."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import read_input
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.retention_schemas import (
    TAG,
    OrderPruneSerializer,
    PlanSerializer,
    PoliciesSerializer,
    PolicySerializer,
    PruneOrderSerializer,
    SetPolicySerializer,
    TombstoneSerializer,
)
from workflows.models import PruneOrder, Tombstone
from workflows.retention.errors import OrderNotFound
from workflows.retention.plan import plan_retention
from workflows.retention.policies import drop_policy, policies, set_policy
from workflows.retention.pruning import order_prune
from workflows.retention.tombstones import tombstone_of


class PoliciesView(TenantView):
    """How long what is kept."""

    scopes = {"GET": Scope.RETENTION_READ}

    @extend_schema(
        operation_id="retention_policies",
        summary="How long what is kept",
        tags=TAG,
        responses=answers(PoliciesSerializer, 400),
    )
    def get(self, request: Request) -> Response:
        """The tenant's policies."""
        check_query(request, ())
        return Response(PoliciesSerializer({"policies": policies(tenant_id=self.tenant_id)}).data)


class PolicyView(TenantView):
    """One policy."""

    scopes = {"PUT": Scope.RETENTION_WRITE, "DELETE": Scope.RETENTION_WRITE}

    @extend_schema(
        operation_id="retention_policy_set",
        summary="Say how long one kind of thing is kept",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=SetPolicySerializer,
        responses=answers(PolicySerializer, 400, 409),
    )
    def put(self, request: Request, what: str) -> Response:
        """From now on. Nothing is pruned before the next round, or an order."""
        asked = read_input(SetPolicySerializer, request)
        policy = set_policy(tenant_id=self.tenant_id, what=what, changed_by=caller_of(request).prefix, **asked)
        return Response(PolicySerializer(policy).data)

    @extend_schema(
        operation_id="retention_policy_drop",
        summary="Keep one kind of thing for ever",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, status=204),
    )
    def delete(self, request: Request, what: str) -> Response:
        """As though there had never been a policy."""
        drop_policy(tenant_id=self.tenant_id, what=what)
        return Response(status=204)


class PlanView(TenantView):
    """What would be pruned now."""

    scopes = {"GET": Scope.RETENTION_READ}

    @extend_schema(
        operation_id="retention_plan",
        summary="What would be pruned now, and the token that orders it",
        tags=TAG,
        responses=answers(PlanSerializer, 400),
    )
    def get(self, request: Request) -> Response:
        """Counts by policy, with what legal holds keep. Nothing is changed."""
        check_query(request, ())
        return Response(PlanSerializer(plan_retention(tenant_id=self.tenant_id)).data)


class OrdersView(TenantView):
    """Prunes that were ordered."""

    scopes = {"GET": Scope.RETENTION_READ, "POST": Scope.RETENTION_WRITE}
    page_by = "-id"

    @extend_schema(
        operation_id="retention_order",
        summary="Order a plan to be carried out",
        tags=TAG,
        parameters=[IDEMPOTENCY_KEY],
        request=OrderPruneSerializer,
        responses=answers(PruneOrderSerializer, 400, 409, status=202),
    )
    def post(self, request: Request) -> Response:
        """Carried out in bounded parts within minutes. A plan that has changed is a 409, and nothing is done."""
        asked = read_input(OrderPruneSerializer, request)
        order = order_prune(tenant_id=self.tenant_id, ordered_by=caller_of(request).prefix, **asked)
        return Response(PruneOrderSerializer(order).data, status=202)

    @extend_schema(
        operation_id="retention_orders",
        summary="Prunes that were ordered, newest first",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(PruneOrderSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """How far each has come."""
        return self.page(PruneOrder.objects.filter(tenant_id=self.tenant_id), PruneOrderSerializer)


class OrderView(TenantView):
    """One prune that was ordered."""

    scopes = {"GET": Scope.RETENTION_READ}

    @extend_schema(
        operation_id="retention_order_get",
        summary="How far a prune has come",
        tags=TAG,
        responses=answers(PruneOrderSerializer, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """How many rows of each kind it took away, and whether it is done."""
        order = PruneOrder.objects.filter(tenant_id=self.tenant_id, public_id=public_id).first()
        if order is None:
            raise OrderNotFound
        return Response(PruneOrderSerializer(order).data)


class TombstonesView(TenantView):
    """Runs that were pruned."""

    scopes = {"GET": Scope.RETENTION_READ}
    page_by = "-id"

    @extend_schema(
        operation_id="tombstones_list",
        summary="Runs that were pruned, latest first",
        tags=TAG,
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(TombstoneSerializer), 400),
    )
    def get(self, request: Request) -> Response:
        """What stays of each."""
        return self.page(Tombstone.objects.filter(tenant_id=self.tenant_id), TombstoneSerializer)


class TombstoneView(TenantView):
    """One run that was pruned."""

    scopes = {"GET": Scope.RETENTION_READ}

    @extend_schema(
        operation_id="tombstones_get",
        summary="What stays of a run that was pruned",
        tags=TAG,
        responses=answers(TombstoneSerializer, 404),
    )
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        """By the id that the run had."""
        return Response(TombstoneSerializer(tombstone_of(tenant_id=self.tenant_id, public_id=public_id)).data)
