"""REST: recipients."""

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input, read_object
from chimeway_py.errors import Invalid, fault
from deliveries.api.sending_rules import PeriodSerializer
from deliveries.api.serializers import AddressSerializer
from deliveries.models import Recipient
from deliveries.recipients.searching import recipients_at
from deliveries.recipients.upsert import merge_recipients, put_recipient
from tenants.api.views import TenantView
from tenants.models.api_key import Scope

MOST_AT_ONCE = 1000
TAG = ["Recipients"]


class RecipientSerializer(serializers.ModelSerializer[Recipient]):
    """A recipient, to the product that told us of them."""

    id = serializers.CharField(source="external_id")
    addresses = serializers.DictField(source="person.addresses", help_text="One for each channel.")
    attributes = serializers.DictField(source="person.attributes", help_text="What templates see besides.")
    quiet_hours = PeriodSerializer(many=True, allow_null=True, help_text="Null: the tenant's.")

    class Meta:
        model = Recipient
        fields = ["id", "addresses", "zone", "locale", "attributes", "quiet_hours", "created_at", "updated_at"]


class SeenRecipientSerializer(serializers.ModelSerializer[Recipient]):
    """A recipient in a list: without what is personal."""

    id = serializers.CharField(source="external_id")
    channels = serializers.SerializerMethodField()

    class Meta:
        model = Recipient
        fields = ["id", "channels", "zone", "locale", "created_at", "updated_at"]

    def get_channels(self, row: Recipient) -> list[str]:
        """Where they have an address."""
        return sorted(row.person["addresses"])


_ADA = {
    "addresses": {"email": "ada@example.com", "sms": "+4915112345678"},
    "zone": "Europe/Berlin",
    "locale": "de",
    "attributes": {"name": "Ada"},
}


@extend_schema_serializer(examples=[OpenApiExample("Ada", value=_ADA, request_only=True)])
class PutRecipientSerializer(serializers.Serializer[Any]):
    """Who somebody is."""

    addresses = serializers.DictField(required=False, allow_null=True, help_text="By channel: text, or a list.")
    zone = serializers.CharField(required=False, allow_null=True, max_length=64, help_text="Such as Europe/Berlin.")
    locale = serializers.CharField(required=False, allow_null=True, max_length=35, help_text="Such as de or pt-BR.")
    attributes = serializers.DictField(required=False, allow_null=True)
    quiet_hours = PeriodSerializer(many=True, required=False, allow_null=True, help_text="Instead of the tenant's.")


class OneOfManySerializer(PutRecipientSerializer):
    """One of many: what is left out keeps its value, null removes it."""

    id = serializers.CharField(max_length=200)


@extend_schema_serializer(
    examples=[OpenApiExample("Ada", value={"recipients": [{"id": "ada", **_ADA}]}, request_only=True)]
)
class RecipientsSerializer(serializers.Serializer[Any]):
    """Many recipients."""

    recipients = serializers.ListField(child=OneOfManySerializer(), max_length=MOST_AT_ONCE)


class StoredRecipientSerializer(serializers.Serializer[Any]):
    """What became of one of many."""

    id = serializers.CharField(source="recipient.external_id")
    created = serializers.BooleanField()


class StoredRecipientsSerializer(serializers.Serializer[Any]):
    """An answer for each, in the order of the request."""

    recipients = StoredRecipientSerializer(many=True)


class RecipientListView(TenantView):
    """Recipients, newest first; and many at once."""

    scopes = {"GET": Scope.RECIPIENTS_READ, "POST": Scope.RECIPIENTS_WRITE}

    @extend_schema(
        operation_id="recipient_list",
        summary="Recipients",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(SeenRecipientSerializer), 400),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(Recipient.objects.filter(tenant_id=self.tenant_id), SeenRecipientSerializer)

    @extend_schema(
        operation_id="recipient_merge",
        summary="Make or change many recipients",
        description="All or none. What is left out keeps its value; null removes it, one address or attribute too.",
        parameters=[IDEMPOTENCY_KEY],
        request=RecipientsSerializer,
        responses=answers(StoredRecipientsSerializer, 400, 413),
        tags=TAG,
    )
    def post(self, request: Request) -> Response:
        """What became of each."""
        try:
            stored = merge_recipients(tenant_id=self.tenant_id, said=_many(read_object(request)))
        except Invalid as error:
            raise _inside(error) from error
        return Response(StoredRecipientsSerializer({"recipients": stored}).data)


class RecipientSearchView(TenantView):
    """Recipients by an address. It is personal, so it stands in the body and in no address or log."""

    scopes = {"POST": Scope.RECIPIENTS_READ}

    @extend_schema(
        operation_id="recipient_search",
        summary="Who has an address",
        description="Those who have it now, on any channel, however it is written.",
        parameters=[IDEMPOTENCY_KEY, *PAGE_PARAMETERS],
        request=AddressSerializer,
        responses=answers(page_of(SeenRecipientSerializer), 400),
        tags=TAG,
    )
    def post(self, request: Request) -> Response:
        """A page of them."""
        said = read_input(AddressSerializer, request)
        return self.page(recipients_at(self.tenant_id, said["address"]), SeenRecipientSerializer)


class RecipientView(TenantView):
    """One recipient, by the tenant's own name for them: the subject of their runs."""

    scopes = {"GET": Scope.RECIPIENTS_READ, "PUT": Scope.RECIPIENTS_WRITE}

    @extend_schema(
        operation_id="recipient_get",
        summary="One recipient",
        responses=answers(RecipientSerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, external_id: str) -> Response:
        """In the clear: who may read recipients may read addresses."""
        return Response(RecipientSerializer(self.one(Recipient.objects.all(), external_id=external_id)).data)

    @extend_schema(
        operation_id="recipient_put",
        summary="Store a recipient",
        description="They are what this says and no more. What is planned and not yet sent goes to the new address.",
        parameters=[IDEMPOTENCY_KEY],
        request=PutRecipientSerializer,
        responses=answers(RecipientSerializer, 400) | {201: RecipientSerializer},
        tags=TAG,
    )
    def put(self, request: Request, external_id: str) -> Response:
        """The recipient as they are now; 201 when they are new."""
        stored = put_recipient(tenant_id=self.tenant_id, external_id=external_id, said=read_object(request))
        return Response(RecipientSerializer(stored.recipient).data, status=201 if stored.created else 200)


def _many(body: Any) -> list[tuple[str, Any]]:
    """(id, the rest) of each in a body. Raises `Invalid`."""
    given = body.get("recipients")
    unknown = [fault(f"/{name}", "unknown_key", "No such member.") for name in body if name != "recipients"]
    if unknown:
        raise Invalid("The recipients are not valid.", unknown)
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_AT_ONCE:
        raise Invalid(
            "The recipients are not valid.", [fault("", "bad_length", f"`recipients`: a list of 1 to {MOST_AT_ONCE}.")]
        )
    return [
        (one.get("id", ""), {name: value for name, value in one.items() if name != "id"})
        if isinstance(one, dict)
        else ("", one)
        for one in given
    ]


def _inside(error: Invalid) -> Invalid:
    """The same faults, with paths into the body."""
    faults = [dict(one) for one in error.detail if isinstance(one, dict)]
    moved = [
        {**one, "path": f"/recipients{one['path']}" if one["path"][1:2].isdigit() else one["path"]} for one in faults
    ]
    return Invalid(error.message, moved)
