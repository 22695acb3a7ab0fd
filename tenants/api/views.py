"""The view that every tenant's request passes through: one transaction in the scope of the caller's tenant."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, ClassVar, NoReturn, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from chimeway_py.api.bodies import MAX_BODY, read_body
from chimeway_py.api.openapi import answers
from chimeway_py.api.paging import CursorPages
from chimeway_py.api.views import BoundedView
from chimeway_py.errors import Invalid, NotFound, fault
from tenants.api import openapi  # noqa: F401  registers how keys are described in OpenAPI
from tenants.api.authentication import ApiKeyAuthentication, HasScope, caller_of
from tenants.api.guessing import counting_failures, refuse_guesses
from tenants.api.idempotency import answer_once, idempotency_key
from tenants.limits.headers import rate_limit_fields
from tenants.limits.kinds import LimitKind
from tenants.limits.taking import take, taking_as
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope

M = TypeVar("M", bound=Model)
WRITES = {"POST", "PUT", "PATCH", "DELETE"}


class TenantView(BoundedView):
    """Runs the handler in one transaction of the caller's tenant, committed before the answer leaves.

    `scopes` names the scope each method needs (None: any live key). In a handler `self.tenant_id` is the tenant and
    `self.now` the database clock. Writes honour `Idempotency-Key`, and heed
    `If-Match` or refuse it. An exception rolls everything back.
    """

    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasScope]
    scopes: ClassVar[Mapping[str, Scope | None]] = {}
    filters: ClassVar[tuple[str, ...]] = ()  # the query parameters of a list besides limit and cursor
    most_bytes: ClassVar[int] = MAX_BODY  # of a body
    heeds_if_match: ClassVar[bool] = False  # a write that does not, refuses it: nothing acts on what has moved
    shown_once: ClassVar[tuple[str, ...]] = ()  # members of an answer that are not kept for its replay
    tenant_id: int
    now: datetime

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Authenticate, read the body, then answer within the scope. As in REST framework, but for the transaction."""
        self.args, self.kwargs = args, kwargs
        self.request = asked = self.initialize_request(request, *args, **kwargs)
        self.headers = self.default_response_headers
        try:
            refuse_guesses(request)
            with counting_failures(request):
                self.initial(asked, *args, **kwargs)
            caller = caller_of(asked)
            with taking_as(f"key cw_{caller.prefix}"):
                asked_of = take(caller.tenant_id, {LimitKind.REQUESTS_PER_MINUTE: 1})  # kept, whatever comes of it
                if request.method in WRITES:
                    self.take_body(request)  # of somebody who is known, and within the limit
                response = self._answer(asked)
            for name, value in rate_limit_fields(asked_of).items():
                response[name] = value
        except Exception as error:
            response = self.handle_exception(error)
        self.response = self.finalize_response(asked, response, *args, **kwargs)
        return self.response

    def take_body(self, request: HttpRequest) -> None:
        """Read the body. No connection is held for one that is still coming: the web server collects those of 2 MiB."""
        if self.most_bytes > MAX_BODY:
            connection.close()
        read_body(request, self.most_bytes)

    def page(self, rows: QuerySet[Any], serializer: type[serializers.BaseSerializer[Any]]) -> Response:
        """One page of a list, by the cursor and limit of the query. Raises `Invalid`."""
        pages = CursorPages()
        return pages.get_paginated_response(
            serializer(pages.paginate_queryset(rows, self.request, self), many=True).data
        )

    def one(self, rows: QuerySet[M], **where: Any) -> M:
        """The tenant's row that matches. Raises `NotFound`, whether it is another tenant's or nobody's."""
        if _names_nothing(where):
            not_found()
        row = rows.filter(tenant_id=self.tenant_id, **where).first()
        return row if row is not None else not_found()

    def _answer(self, request: Request) -> Response:
        handler: Callable[..., Response] = getattr(self, str(request.method).lower())
        if _names_nothing(self.kwargs):
            not_found()
        writes = request.method in WRITES
        key = idempotency_key(request) if writes else ""
        if writes:
            if not self.heeds_if_match:
                _refuse_if_match(request)
            _ = request.data  # parsed before the transaction

        def answer() -> Response:
            return handler(request, *self.args, **self.kwargs)

        with tenant_scope(caller_of(request).tenant_id) as scope:
            (self.tenant_id,), self.now = scope.tenant_ids, scope.now
            if not key:
                return answer()
            return answer_once(
                tenant_id=self.tenant_id, key=key, request=request, shown_once=self.shown_once, answer=answer
            )


def not_found() -> NoReturn:
    """The answer for what is not there, and for what belongs to another tenant: one shape, so neither can be told."""
    raise NotFound


def _names_nothing(where: Mapping[str, Any]) -> bool:
    """PostgreSQL stores no NUL, so nothing has such a name."""
    return any("\0" in text for text in where.values() if isinstance(text, str))


def _refuse_if_match(request: Request) -> None:
    """Raises `Invalid`: whoever names a revision counts on it, and here nothing would be held against it."""
    if request.headers.get("If-Match", "*").strip() != "*":
        told = "This call holds no revision against it. Leave it out, or call for one run at a time."
        raise Invalid("If-Match is not heeded here.", [fault("/If-Match", "not_heeded", told)])


class TenantSerializer(serializers.ModelSerializer[Tenant]):
    """A tenant, to its own callers."""

    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Scope.choices), help_text="Of the key that asks."
    )

    id = serializers.UUIDField(source="public_id")

    class Meta:
        model = Tenant
        fields = ["id", "slug", "name", "time_zone", "created_at", "scopes"]


class CurrentTenantView(TenantView):
    """The tenant of the key that asks."""

    scopes = {"GET": None}

    @extend_schema(
        operation_id="tenant_get", summary="Whose key this is", responses=answers(TenantSerializer), tags=["Tenant"]
    )
    def get(self, request: Request) -> Response:
        """The tenant, and the scopes of the key: a first call to see that a key works."""
        tenant = Tenant.objects.get(id=self.tenant_id)
        tenant.scopes = sorted(caller_of(request).scopes)  # type: ignore[attr-defined]
        return Response(TenantSerializer(tenant).data)
