"""REST: addresses that are left alone."""

from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.paging import check_query, closed_faults
from chimeway_py.api.serializers import StrictSerializer, read_input, read_input_or_query
from chimeway_py.errors import Invalid
from chimeway_py.text import LONGEST_REASON
from deliveries.api.serializers import AddressSerializer
from deliveries.channels.registry import channels
from deliveries.models import Suppression
from deliveries.suppressions.finding import about_subject, find_suppression, suppressions_at
from deliveries.suppressions.writing import lift
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

TAG = ["Suppressions"]
_WORDS = {"bounced": Q(bounced_at__isnull=False), "complained": Q(complained_at__isnull=False)}
_CLOSED = {"channel": sorted(channels()), "word": sorted(_WORDS), "lifted": ["false", "true"]}
FILTERS = (*_CLOSED, "subject")
FILTER_PARAMETERS = [
    OpenApiParameter("channel", str, enum=_CLOSED["channel"]),
    OpenApiParameter("word", str, enum=_CLOSED["word"]),
    OpenApiParameter("lifted", bool, description="Those that do not count any more, instead of those that do."),
    OpenApiParameter("subject", str, description="A recipient: from messages to them, or at their addresses."),
]


class SuppressionSerializer(serializers.ModelSerializer[Suppression]):
    """An address on a channel, masked."""

    id = serializers.UUIDField(source="public_id")
    recipient = serializers.CharField(source="recipient_masked", help_text="Empty when its owner was erased.")
    subject = serializers.CharField(help_text="Whom the message was for; empty when they were erased.")
    word = serializers.ChoiceField(choices=sorted(_WORDS), help_text="bounced also where both happened.")
    since = serializers.DateTimeField()
    delivery_id = serializers.UUIDField(
        source="delivery", allow_null=True, help_text="The message it came from, which may be pruned."
    )
    code = serializers.CharField(help_text="What was told of it.")

    class Meta:
        model = Suppression
        fields = [
            "id", "channel", "recipient", "subject", "word", "since", "bounced_at", "complained_at", "delivery_id",
            "provider", "code", "lifted_at", "lifted_by", "lifted_why",
        ]  # fmt: skip


class LiftSerializer(StrictSerializer):
    """Why messages may go there again."""

    reason = serializers.CharField(max_length=LONGEST_REASON)


class SuppressionListView(TenantView):
    """Addresses that are left alone, newest first."""

    scopes = {"GET": Scope.DELIVERIES_READ}
    filters = FILTERS

    @extend_schema(
        operation_id="suppression_list",
        summary="Addresses that are left alone",
        parameters=FILTER_PARAMETERS + PAGE_PARAMETERS,
        responses=answers(page_of(SuppressionSerializer), 400),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        rows = Suppression.objects.filter(wanted(self.tenant_id, request.query_params.dict()), tenant_id=self.tenant_id)
        return self.page(rows, SuppressionSerializer)


class SuppressionSearchView(TenantView):
    """Those of an address. It is personal, so it comes in the body, where no log of addresses sees it."""

    scopes = {"POST": Scope.DELIVERIES_READ}
    filters = FILTERS

    @extend_schema(
        operation_id="suppression_search",
        summary="Whether an address is left alone, and why",
        description="On any channel, however it is written. The address is compared and not kept.",
        parameters=[*FILTER_PARAMETERS, *PAGE_PARAMETERS, IDEMPOTENCY_KEY],
        request=AddressSerializer,
        responses=answers(page_of(SuppressionSerializer), 400),
        tags=TAG,
    )
    def post(self, request: Request) -> Response:
        """A page of them. An address that may be written to has none."""
        rows = suppressions_at(self.tenant_id, read_input(AddressSerializer, request)["address"])
        return self.page(rows.filter(wanted(self.tenant_id, request.query_params.dict())), SuppressionSerializer)


class SuppressionView(TenantView):
    """One address that is left alone."""

    scopes = {"GET": Scope.DELIVERIES_READ, "DELETE": Scope.DELIVERIES_WRITE}

    @extend_schema(
        operation_id="suppression_get",
        summary="One suppression",
        responses=answers(SuppressionSerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, public_id: UUID) -> Response:
        """Since when and why; of a lifted one also who lifted it."""
        check_query(request, ())
        return Response(SuppressionSerializer(find_suppression(self.tenant_id, public_id)).data)

    @extend_schema(
        operation_id="suppression_lift",
        summary="Let messages go to the address again",
        description="The next bounce or complaint counts again. Of one that was lifted before nothing changes. The"
        " reason is in the body, or in the query where a client sends no body with a DELETE.",
        parameters=[IDEMPOTENCY_KEY, OpenApiParameter("reason", str)],
        request=LiftSerializer,
        responses=answers(SuppressionSerializer, 400, 404),
        tags=TAG,
    )
    def delete(self, request: Request, public_id: UUID) -> Response:
        """It is kept, with who lifted it and why."""
        reason = read_input_or_query(LiftSerializer, request)["reason"]
        by = f"key cw_{caller_of(request).prefix}"
        row = lift(tenant_id=self.tenant_id, suppression=public_id, reason=reason, by=by)
        return Response(SuppressionSerializer(row).data)


def wanted(tenant_id: int, query: dict[str, str]) -> Q:
    """The conditions of a list's query; without `lifted`, what counts now. Raises `Invalid` for a word there is not."""
    if faults := closed_faults(query, _CLOSED):
        raise Invalid("The query is not valid.", faults)
    found = Q(lifted_at__isnull=query.get("lifted") != "true")
    if "word" in query:
        found &= _WORDS[query["word"]]
    if "channel" in query:
        found &= Q(channel=query["channel"])
    return found & about_subject(tenant_id, query["subject"]) if "subject" in query else found
