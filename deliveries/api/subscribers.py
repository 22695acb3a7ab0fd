"""Who may ask for an inbox: an API key, or a subscriber token of that very inbox."""

from typing import Any

import structlog
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.request import Request

from chimeway_py.errors import Invalid, fault
from deliveries.inbox.tokens import BEGINS, Subscriber, find_subscriber
from tenants.api.authentication import ApiKeyAuthentication, NotAuthenticated, TenantSuspended
from tenants.api.views import TenantView
from tenants.services import Caller


class InboxAuthentication(ApiKeyAuthentication):
    """A key as everywhere, or a token of the inbox that the address names."""

    def authenticate(self, request: Request) -> tuple[None, Caller]:
        """The caller. Raises `NotAuthenticated` and `TenantSuspended`."""
        token = self.token_of(request)
        if not token.startswith(BEGINS):
            return super().authenticate(request)
        found = find_subscriber(token, str((request.parser_context or {})["kwargs"]["subject"]))
        if isinstance(found, Caller):
            structlog.contextvars.bind_contextvars(tenant_id=found.tenant_id, api_key=found.prefix)
            return None, found
        if found == "suspended":
            raise TenantSuspended
        raise NotAuthenticated("This token is not one of this inbox, or its time is over.")

    def token_of(self, request: Request) -> str:
        """What the request shows, if it is a bearer token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


class StreamAuthentication(InboxAuthentication):
    """The same, with a token also in the query: an `EventSource` sends no headers. API keys are not taken there."""

    def token_of(self, request: Request) -> str:
        """What the request shows, in a header or as `token`."""
        asked = request.query_params.get("token", "")
        return super().token_of(request) or (asked if asked.startswith(BEGINS) else "")


class InboxScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Keys and tokens in the OpenAPI document."""

    target_class: Any = InboxAuthentication
    name = "ApiKeyOrInboxToken"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:
        """The security scheme."""
        told = "An API key, or a subscriber token of this inbox: `cwi_…`."
        return {"type": "http", "scheme": "bearer", "description": told}


class StreamScheme(InboxScheme):  # type: ignore[no-untyped-call]
    """The same for streams; the token in the query is told as a parameter."""

    target_class = StreamAuthentication
    name = "ApiKeyOrStreamToken"


class SubscriberView(TenantView):
    """A view of one inbox, for keys and for tokens of that inbox."""

    authentication_classes = [InboxAuthentication]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse an `Idempotency-Key` from a browser: keys are the tenant's, and a person could use up those of others.

        Marks need none, because repeating them changes nothing.
        """
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, Subscriber) and "Idempotency-Key" in request.headers:
            message = "Marks with a subscriber token repeat harmlessly; leave it out."
            raise Invalid("The request is not valid.", [fault("/Idempotency-Key", "not_for_tokens", message)])
