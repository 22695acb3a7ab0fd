"""Sources and senders."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.models import SignalSource
from signals_app.services.secrets import opened_secrets
from signals_app.services.sources import create_source
from tenants.models import Tenant
from tests.signals.signing import SIGNERS

Post = Callable[..., Any]
MAPPING = {"name": "type", "subject": "customer", "correlation": {"invoice_id": "invoice"}, "external_id": "id"}


def secret_of(source: SignalSource) -> str:
    """The first secret of a source."""
    return str(opened_secrets(source)[0]["secret"])


@pytest.fixture
def new_source() -> Callable[..., SignalSource]:
    """`new_source(tenant)` is a Standard Webhooks source; `secret_of(row)` is its first secret."""

    def make(tenant: Tenant, **given: Any) -> SignalSource:
        whole = {"key": "billing", "scheme": "standard_webhooks", "mapping": MAPPING} | given
        return create_source(tenant_id=tenant.pk, **whole).row

    return make


@pytest.fixture
def post_hook() -> Post:
    """`post_hook(source, body)` signs as the sender would and posts; `secret`, `ago` and `headers` change how."""
    client = APIClient(raise_request_exception=False)

    def post(
        source: SignalSource,
        body: dict[str, Any] | bytes,
        *,
        secret: str = "",
        ago: timedelta = timedelta(0),
        headers: dict[str, str] | None = None,
        sent: bytes | None = None,
        content_type: str = "application/json",
    ) -> Any:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sign = SIGNERS[source.scheme]
        signed = sign(secret or secret_of(source), raw, datetime.now(UTC) - ago) if headers is None else headers
        content = raw if sent is None else sent
        return client.post(f"/hooks/{source.public_id}", content, content_type=content_type, headers=signed)

    return post
