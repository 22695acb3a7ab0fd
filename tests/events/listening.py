"""A subscriber: its subscription, and what its receiver was told."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook
from werkzeug import Request, Response

from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.events.subscriptions import put_subscription
from workflows.models import Event, EventAttempt, EventDispatch, EventSubscription


class Subscriber:
    """A subscription to a path of the test's own receiver."""

    def __init__(self, tenant: Tenant, server: HTTPServer, key: str, status: int, **given: Any) -> None:
        self.tenant, self.server, self.key = tenant, server, key
        self.status: int = status
        self.headers: Mapping[str, str] = {}
        server.expect_request(f"/{key}", method="POST").respond_with_handler(self._respond)
        url = given.pop("url", None) or server.url_for(f"/{key}").replace("localhost", "127.0.0.1")
        made = put_subscription(tenant_id=tenant.pk, key=key, url=url, **given)
        self.secret, self.url = made.secret, url

    def answer(self, status: int, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        """Let the receiver answer so from now on."""
        self.status, self.headers = status, headers

    def _respond(self, request: Request) -> Response:
        return Response(status=self.status, headers=self.headers)

    @property
    def requests(self) -> list[Any]:
        """What was posted to it, in order."""
        return [request for request, _ in self.server.log if request.path == f"/{self.key}"]

    @property
    def told(self) -> list[dict[str, Any]]:
        """The verified bodies, in order."""
        return [Webhook(self.secret).verify(one.data, dict(one.headers)) for one in self.requests]

    @property
    def types(self) -> list[str]:
        """Their types."""
        return [one["type"] for one in self.told]

    @property
    def ids(self) -> list[str]:
        """Their `webhook-id`s."""
        return [one.headers["webhook-id"] for one in self.requests]

    @property
    def row(self) -> EventSubscription:
        """The subscription as it is stored."""
        with tenant_scope(self.tenant.pk):
            return EventSubscription.objects.get(tenant_id=self.tenant.pk, key=self.key)

    def change(self, **values: Any) -> None:
        """Write some columns of the subscription: where a test moves time."""
        with tenant_scope(self.tenant.pk):
            EventSubscription.objects.filter(tenant_id=self.tenant.pk, key=self.key).update(**values)

    @property
    def dispatches(self) -> list[EventDispatch]:
        """What is or was owed to it, oldest first."""
        with tenant_scope(self.tenant.pk):
            rows = EventDispatch.objects.filter(tenant_id=self.tenant.pk, subscription__key=self.key)
            return list(rows.select_related("event").order_by("event_id"))

    def make_due(self) -> None:
        """Let the time of every retry have come."""
        with tenant_scope(self.tenant.pk) as scope:
            rows = EventDispatch.objects.filter(tenant_id=self.tenant.pk, subscription__key=self.key)
            rows.filter(due_at__isnull=False).update(due_at=scope.now)
        self.change(hold_until=None)

    def attempts(self) -> list[tuple[int, int | None, str]]:
        """(number, status, error) of every try, in order of events."""
        with tenant_scope(self.tenant.pk):
            rows = EventAttempt.objects.filter(tenant_id=self.tenant.pk, dispatch__subscription__key=self.key)
            return list(rows.order_by("dispatch_id", "number").values_list("number", "status_code", "error"))


def events_of(tenant: Tenant) -> list[Event]:
    """Every event of a tenant, in order."""
    with tenant_scope(tenant.pk):
        return list(Event.objects.filter(tenant_id=tenant.pk).order_by("id"))


def body_of(request: Any) -> Any:
    """What was posted, unverified."""
    return json.loads(request.data)
