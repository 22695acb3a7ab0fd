"""REST: what a browser needs of an inbox besides its items: a token, and a stream of what changes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.cursors import NotACursor, open_cursor
from chimeway_py.api.openapi import IDEMPOTENCY_KEY, answers
from chimeway_py.api.paging import check_query
from chimeway_py.api.serializers import StrictSerializer, read_input
from chimeway_py.errors import Invalid, fault
from deliveries.api.serializers import InboxItemSerializer
from deliveries.api.subscribers import StreamAuthentication, SubscriberView
from deliveries.inbox.stream import InboxStream, Wanted
from deliveries.inbox.tokens import Subscriber, make_token
from deliveries.models import InboxItem
from tenants.api.authentication import caller_of
from tenants.api.views import TenantView
from tenants.models.api_key import Scope
from tenants.services import Caller

EVENT_STREAM = "text/event-stream"
USUAL_MINUTES, MOST_MINUTES = 15, 60


class TokenRequestSerializer(StrictSerializer):
    """How long a token lives."""

    minutes = serializers.IntegerField(min_value=1, max_value=MOST_MINUTES, default=USUAL_MINUTES)


class TokenSerializer(serializers.Serializer[Any]):
    """A token of one inbox."""

    token = serializers.CharField(
        required=False,
        help_text="Send it as a bearer token to the addresses of this inbox. It is in no replay.",
    )
    expires_at = serializers.DateTimeField()


class TokenView(TenantView):
    """Tokens of an inbox. Only API keys make them."""

    scopes = {"POST": Scope.INBOX_READ}
    shown_once = ("token",)

    @extend_schema(
        operation_id="inbox_token",
        summary="Make a subscriber token: what a browser shows instead of a key",
        description="It opens this inbox only, may do there what the key may, and ends with its time, key or tenant.",
        parameters=[IDEMPOTENCY_KEY],
        request=TokenRequestSerializer,
        responses=answers(TokenSerializer, 400, status=201),
        tags=["Inbox"],
    )
    def post(self, request: Request, subject: str) -> Response:
        """A token. Nothing is stored of it."""
        lifetime = timedelta(minutes=read_input(TokenRequestSerializer, request)["minutes"])
        made = make_token(caller=caller_of(request), subject=subject, now=self.now, lifetime=lifetime)
        return Response(TokenSerializer(made).data, status=201)


class EventStreamRenderer(JSONRenderer):
    """Lets a browser ask for events by their type; refusals are one JSON object all the same."""

    media_type = EVENT_STREAM
    format = "events"


class StreamView(SubscriberView):
    """Server-sent events of an inbox."""

    authentication_classes = [StreamAuthentication]
    scopes = {"GET": Scope.INBOX_READ}
    renderer_classes = [JSONRenderer, EventStreamRenderer]

    @extend_schema(
        operation_id="inbox_stream",
        summary="What changes in an inbox, as server-sent events",
        parameters=[
            OpenApiParameter("token", str, description="A subscriber token, for who cannot send headers."),
            OpenApiParameter("seconds", int, description="How long at most. The end of a token ends it earlier."),
            OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="Where to resume."),
        ],
        responses={
            **{status: answer for status, answer in answers(None, 400).items() if status != 200},
            (200, EVENT_STREAM): OpenApiResponse(OpenApiTypes.STR, description="Events: counts, item, reset, end."),
        },
        tags=["Inbox"],
    )
    def get(self, request: Request, subject: str) -> Response:
        """Events until the time is over. Without a free place, a refusal with `Retry-After`."""
        check_query(request, ("token", "seconds"))
        caller, place = caller_of(request), f"stream {request.path}"
        wanted = Wanted(caller, subject, _after(request, place), self._seconds(request, caller), place, _shown)
        answer = StreamingHttpResponse(InboxStream(wanted), content_type=EVENT_STREAM)
        answer["X-Accel-Buffering"] = "no"  # nginx would keep events until it has a page of them
        return cast(Response, answer)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        """Refusals are JSON, whatever type of events was asked for."""
        super().perform_content_negotiation(request, force)
        return JSONRenderer(), "application/json"

    def _seconds(self, request: Request, caller: Caller) -> float:
        """How long the stream may live: what is asked, what the settings allow, what the token has left."""
        text = request.query_params.get("seconds", str(settings.INBOX_STREAM_SECONDS))
        if not (text.isascii() and text.isdigit() and len(text) < 6):
            raise Invalid("The query is not valid.", [fault("/seconds", "bad_seconds", "A whole number.")])
        left = (caller.expires_at - self.now).total_seconds() if isinstance(caller, Subscriber) else float("inf")
        return min(float(text), float(settings.INBOX_STREAM_SECONDS), left)


def _after(request: Request, place: str) -> int | None:
    """The place of the last event that the browser had. Raises `Invalid`."""
    text = request.headers.get("Last-Event-ID", "")
    try:
        return open_cursor(text, of=place) if text else None
    except NotACursor:
        message = "Not the id of an event of this stream."
        raise Invalid("The request is not valid.", [fault("/Last-Event-ID", "bad_cursor", message)]) from None


def _shown(item: InboxItem) -> Mapping[str, Any]:
    return cast(Mapping[str, Any], InboxItemSerializer(item).data)
