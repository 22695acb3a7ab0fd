"""An endpoint that is gone or fails for 120 hours is disabled, by the rule of subscriptions to events, and says so."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from chimeway_py.metrics import DatabaseNumbers
from chimeway_py.outbound.call import Called
from deliveries.endpoint_health import note_try
from deliveries.models import Endpoint
from deliveries.services.endpoints import put_endpoint
from tenants.models import Role, Tenant
from tenants.services import set_role
from tests.admin.test_home import numbers
from tests.deliveries.conftest import Journey
from workflows.events.subscriptions import put_subscription
from workflows.explain.run import explain_run
from workflows.models import Event


class Receiver:
    """Answers with what it is told to, and is an endpoint of the journey's tenant."""

    def __init__(self, journey: Journey, server: HTTPServer) -> None:
        self.journey, self.status = journey, 204
        server.expect_request("/hook").respond_with_handler(self._answer)
        self.url = server.url_for("/hook")
        put_endpoint(tenant_id=journey.tenant.pk, key="pager", url=self.url)
        journey.publish({"channel": "webhook", "endpoint": "pager", "retry": {"max_attempts": 1}})

    def _answer(self, request: Request) -> Response:
        return Response(status=self.status)

    def gets(self, status: int) -> Any:
        """A run that sends it one message, which it answers so."""
        self.status = status
        run = self.journey.start("bob")
        self.journey.work()
        return self.journey.run(run)

    @property
    def row(self) -> Endpoint:
        return self.journey.read(lambda: Endpoint.objects.get(tenant_id=self.journey.tenant.pk, key="pager"))

    def has_failed_for(self, hours: int) -> None:
        """Move time: its first failure was so long ago."""
        since = self.row.failing_since
        assert since is not None
        mine = Endpoint.objects.filter(pk=self.row.pk)
        self.journey.read(lambda: mine.update(failing_since=since - timedelta(hours=hours)))


@pytest.fixture
def receiver(journey: Journey, httpserver: HTTPServer, settings: Any) -> Receiver:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]
    return Receiver(journey, httpserver)


def test_only_failures_for_120_hours_disable_it(receiver: Receiver) -> None:
    receiver.gets(500)
    receiver.has_failed_for(119)
    receiver.gets(503)
    assert (receiver.row.enabled, receiver.row.failing_since is None) == (True, False)

    receiver.gets(204)
    assert receiver.row.failing_since is None

    receiver.gets(500)
    receiver.has_failed_for(121)
    receiver.gets(500)
    row = receiver.row
    assert (row.enabled, row.disabled_reason, row.disabled_at is None) == (False, "failing", False)


def test_it_is_told_explained_counted_and_enabled_again(receiver: Receiver, journey: Journey) -> None:
    put_subscription(
        tenant_id=journey.tenant.pk, key="news", url="https://news.example.com/", types=["endpoint.disabled"]
    )
    browser, before = signed_in(journey.tenant), metric()
    receiver.gets(500)
    assert metric()["failing"] == before.get("failing", 0) + 1
    receiver.has_failed_for(121)
    receiver.gets(500)

    held = receiver.gets(204)

    events = journey.read(lambda: [one.data for one in Event.objects.filter(type="endpoint.disabled")])
    assert events == [{"endpoint": "pager", "reason": "failing"}]
    assert metric()["disabled"] == before.get("disabled", 0) + 1
    colour, number, link = numbers(browser)["Disabled endpoints"]
    assert (colour, number, "pager" in browser.get(link).content.decode()) == ("wrong", "1", True)
    told = explain_run(tenant_id=journey.tenant.pk, public_id=held.public_id)
    assert told.last_attempt is not None
    assert (told.last_attempt.outcome, told.last_attempt.error) == ("suppressed", "endpoint_disabled")

    put_endpoint(tenant_id=journey.tenant.pk, key="pager", url=receiver.url, enabled=True)
    receiver.gets(204)

    row = receiver.row
    assert (row.enabled, row.disabled_reason, row.disabled_at, row.failing_since) == (True, "", None, None)
    assert journey.read(lambda: journey.delivery(held).error) == "endpoint_disabled"
    assert numbers(browser)["Disabled endpoints"][:2] == ("right", "0")


def test_whoever_switches_it_off_is_no_concern(receiver: Receiver, journey: Journey) -> None:
    receiver.gets(500)

    put_endpoint(tenant_id=journey.tenant.pk, key="pager", url=receiver.url, enabled=False)

    assert (receiver.row.disabled_reason, receiver.row.failing_since) == ("asked", None)
    assert numbers(signed_in(journey.tenant))["Disabled endpoints"][:2] == ("right", "0")


def test_a_healthy_endpoint_costs_no_statement(receiver: Receiver, django_assert_num_queries: Any) -> None:
    row = receiver.row
    with django_assert_num_queries(0):
        note_try(row, Called())


def signed_in(tenant: Tenant) -> Client:
    """The browser of an admin of the tenant."""
    user = get_user_model().objects.create(username=f"op-{uuid.uuid4().hex[:12]}", is_staff=True)
    set_role(tenant_id=tenant.pk, user_id=user.pk, role=Role.ADMIN)
    client = Client()
    client.force_login(user)
    return client


def metric() -> dict[str, float]:
    """Endpoints by state, of all tenants."""
    [family] = [one for one in DatabaseNumbers().collect() if one.name == "chimeway_endpoints"]
    return {sample.labels["state"]: sample.value for sample in family.samples}
