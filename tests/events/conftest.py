"""Receivers of events, and a subscriber that listens to one."""

from collections.abc import Callable
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tenants.models import Tenant
from tests.events.listening import Subscriber


@pytest.fixture(autouse=True)
def _receivers_are_nearby(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]


@pytest.fixture
def subscribe(tenant: Tenant, httpserver: HTTPServer) -> Callable[..., Subscriber]:
    """`subscribe("crm", types=[…])`: a subscription of the tenant to a path of the receiver, which answers 204."""

    def make(key: str = "crm", status: int = 204, **given: Any) -> Subscriber:
        return Subscriber(tenant, httpserver, key, status, **given)

    return make
