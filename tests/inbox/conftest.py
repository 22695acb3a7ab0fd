"""Fixtures of inboxes: items that real journeys put there, and browsers that hold a token."""

from collections.abc import Callable

import pytest
from rest_framework.test import APIClient

from deliveries.models import InboxItem
from signals_app.models import Signal
from tenants.models import Tenant
from tests.deliveries.conftest import Journey

HELLO = {"hello": {"title": "Hello {{ data.n }}", "text": "t"}}
Fill = Callable[..., list[InboxItem]]


@pytest.fixture
def journey(tenant: Tenant) -> Journey:
    """A journey of this test's tenant that puts one item into an inbox."""
    made = Journey(tenant)
    made.publish({"channel": "in_app", "template": "hello"}, templates=HELLO)
    return made


@pytest.fixture
def fill(journey: Journey) -> Fill:
    """`fill(3)` puts three items into anna's inbox, `fill(1, "eve")` one into eve's; the whole inbox, oldest first."""

    def put(count: int, subject: str = "anna") -> list[InboxItem]:
        for n in range(count):
            journey.start(subject, n=n)
        return journey.inbox(subject)

    return put


@pytest.fixture
def told(journey: Journey) -> Callable[[], list[str]]:
    """`told()` is the name of every signal of the tenant, in order."""
    rows = Signal.objects.filter(tenant_id=journey.tenant.pk).order_by("id")
    return lambda: journey.read(lambda: list(rows.values_list("name", flat=True)))


@pytest.fixture
def browser(rest: APIClient) -> Callable[..., APIClient]:
    """`browser("anna")` speaks with a token of anna's inbox."""

    def make(subject: str = "anna", owner: APIClient = rest) -> APIClient:
        client = APIClient(raise_request_exception=False)
        token = owner.post(f"/v1/inbox/{subject}/tokens", {}).json()["token"]
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return client

    return make
