"""REST: event subscriptions."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.openapi import IDEMPOTENCY_KEY, PAGE_PARAMETERS, answers, page_of
from chimeway_py.api.serializers import read_input
from chimeway_py.errors import Invalid, fault
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from workflows.api.event_schemas import (
    EventSerializer,
    EventSubscriptionSecretSerializer,
    EventSubscriptionSerializer,
    PutEventSubscriptionSerializer,
    ReplayedEventsSerializer,
    ReplayEventsSerializer,
    RotateEventSecretSerializer,
)
from workflows.definitions.durations import parse_duration
from workflows.errors import SubscriptionNotFound
from workflows.events.replay import replay_events
from workflows.events.subscriptions import (
    SubscriptionSecret,
    delete_subscription,
    ping_subscription,
    put_subscription,
    rotate_subscription_secret,
)
from workflows.models import EventSubscription

TAG = ["Events"]


class EventSubscriptionsView(TenantView):
    """Event subscriptions, newest first."""

    scopes = {"GET": Scope.DEFINITIONS_READ}

    @extend_schema(
        operation_id="event_subscriptions_list",
        summary="Who is told of events",
        parameters=PAGE_PARAMETERS,
        responses=answers(page_of(EventSubscriptionSerializer), 400),
        tags=TAG,
    )
    def get(self, request: Request) -> Response:
        """A page of them."""
        return self.page(EventSubscription.objects.filter(tenant_id=self.tenant_id), EventSubscriptionSerializer)


class EventSubscriptionView(TenantView):
    """One event subscription."""

    scopes = {"GET": Scope.DEFINITIONS_READ, "PUT": Scope.DEFINITIONS_WRITE, "DELETE": Scope.DEFINITIONS_WRITE}
    shown_once = ("secret",)

    @extend_schema(
        operation_id="event_subscriptions_get",
        summary="One event subscription, and how well its receiver does",
        responses=answers(EventSubscriptionSerializer, 404),
        tags=TAG,
    )
    def get(self, request: Request, key: str) -> Response:
        """Whether it is on, and since when it fails."""
        found = EventSubscription.objects.filter(tenant_id=self.tenant_id, key=key).first()
        if found is None:
            raise SubscriptionNotFound
        return Response(EventSubscriptionSerializer(found).data)

    @extend_schema(
        operation_id="event_subscriptions_put",
        summary="Subscribe to events, or change a subscription",
        description="A new one gets its first secret, shown once. Enabling one that was disabled starts it afresh.",
        parameters=[IDEMPOTENCY_KEY],
        request=PutEventSubscriptionSerializer,
        responses=answers(EventSubscriptionSecretSerializer, 400, 409) | {201: EventSubscriptionSecretSerializer},
        tags=TAG,
    )
    def put(self, request: Request, key: str) -> Response:
        """The subscription as it is now; 201 when it is new."""
        asked = read_input(PutEventSubscriptionSerializer, request)
        made = put_subscription(tenant_id=self.tenant_id, key=key, **asked)
        return Response(shown(made), status=201 if made.secret else 200)

    @extend_schema(
        operation_id="event_subscriptions_delete",
        summary="Forget an event subscription",
        parameters=[IDEMPOTENCY_KEY],
        responses=answers(None, 404, 409, status=204),
        tags=TAG,
    )
    def delete(self, request: Request, key: str) -> Response:
        """What was owed to it is not sent any more; the events stay."""
        delete_subscription(tenant_id=self.tenant_id, key=key)
        return Response(status=204)


class RotateEventSecretView(TenantView):
    """Makes a new secret."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}
    shown_once = ("secret",)

    @extend_schema(
        operation_id="event_subscriptions_rotate_secret",
        summary="Rotate the secret of an event subscription",
        description="Until the overlap is over every webhook carries the signatures of both.",
        parameters=[IDEMPOTENCY_KEY],
        request=RotateEventSecretSerializer,
        responses=answers(EventSubscriptionSecretSerializer, 400, 404, 409, status=201),
        tags=TAG,
    )
    def post(self, request: Request, key: str) -> Response:
        """The subscription with its new secret."""
        asked = read_input(RotateEventSecretSerializer, request)
        try:
            overlap = parse_duration(asked["overlap"])
        except ValueError:
            told = fault("/overlap", "duration", "An ISO 8601 duration such as P1D.")
            raise Invalid("The request is not valid.", [told]) from None
        made = rotate_subscription_secret(tenant_id=self.tenant_id, key=key, overlap=overlap)
        return Response(shown(made), status=201)


class PingSubscriptionView(TenantView):
    """Sends a test event."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="event_subscriptions_ping",
        summary="Send a test event to one subscription",
        parameters=[IDEMPOTENCY_KEY],
        request=None,
        responses=answers(EventSerializer, 404, 409, status=202),
        tags=TAG,
    )
    def post(self, request: Request, key: str) -> Response:
        """The event; ask for it by its id to see how it went."""
        return Response(EventSerializer(ping_subscription(tenant_id=self.tenant_id, key=key)).data, status=202)


class ReplayEventsView(TenantView):
    """Sends a range of events again."""

    scopes = {"POST": Scope.DEFINITIONS_WRITE}

    @extend_schema(
        operation_id="event_subscriptions_replay",
        summary="Send a range of events again to one subscription",
        description="At most 10,000 a call, under the ids that they had. With `dry_run` they are only counted.",
        parameters=[IDEMPOTENCY_KEY],
        request=ReplayEventsSerializer,
        responses=answers(ReplayedEventsSerializer, 400, 404, 409),
        tags=TAG,
    )
    def post(self, request: Request, key: str) -> Response:
        """How many."""
        asked = read_input(ReplayEventsSerializer, request)
        return Response(ReplayedEventsSerializer(replay_events(tenant_id=self.tenant_id, key=key, **asked)).data)


def shown(made: SubscriptionSecret) -> dict[str, object]:
    """A subscription, and once its new secret."""
    return {**EventSubscriptionSerializer(made.subscription).data, "secret": made.secret}
