"""The webhook channel against a real receiver."""

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug import Request, Response

from chimeway_py.outbound import call as calling
from chimeway_py.outbound.call import retry_after
from chimeway_py.outbound.client import exchange
from chimeway_py.outbound.signing import webhook_id
from chimeway_py.rendering import Rendered
from deliveries.channels.base import Message, Undeliverable
from deliveries.channels.webhook import WebhookChannel
from deliveries.models import Endpoint
from deliveries.services import put_endpoint, rotate_secret
from tenants.models import Tenant
from tenants.scope import tenant_scope
from workflows.steps.base import Outcome
from workflows.steps.sources import facts_of

KEY = "0192f0c0-0000-7000-8000-000000000000:page:1"

STATUSES = [
    (200, "delivered", False),
    (202, "delivered", False),
    (204, "delivered", False),
    (301, "permanent_failure", False),  # a redirect is an answer, and not followed
    (302, "permanent_failure", False),
    (307, "permanent_failure", False),
    (400, "permanent_failure", False),
    (401, "permanent_failure", False),
    (404, "permanent_failure", False),
    (408, "temporary_failure", True),
    (410, "permanent_failure", False),
    (422, "permanent_failure", False),
    (425, "temporary_failure", True),
    (429, "temporary_failure", True),
    (500, "temporary_failure", True),
    (503, "temporary_failure", True),
    (599, "temporary_failure", True),
]


@pytest.fixture(autouse=True)
def _receiver_is_nearby(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.1/32"]


@pytest.fixture
def post(tenant: Tenant) -> Callable[..., Outcome]:
    """`post(url)` stores the endpoint `pager` at the address and sends it one message."""

    def send(url: str, **changed: Any) -> Outcome:
        put_endpoint(tenant_id=tenant.pk, key="pager", url=url)
        return WebhookChannel().send(a_message(tenant.pk, **changed))

    return send


def a_message(tenant_id: int, **changed: Any) -> Message:
    facts = facts_of(
        run_public_id="r-1", subject="anna", correlation={"incident": "7"}, definition_key="outage", data={"level": 3}
    )
    whole: dict[str, Any] = {
        "tenant_id": tenant_id,
        "delivery_id": "d-1",
        "key": KEY,
        "attempt": 1,
        "recipient": "pager",
        "content": Rendered(subject="Down", text="It is down ✗"),
        "step": {"key": "page", "data": {"level": "data.level", "team": {"const": "night"}}},
        "facts": facts,
        "planned_at": "2026-11-20T09:00:00+00:00",
    }
    return Message(**(whole | changed))


def secrets_of(tenant: Tenant) -> list[str]:
    with tenant_scope(tenant.pk):
        return Endpoint.objects.get(tenant_id=tenant.pk, key="pager").live_secrets(datetime.now(UTC))


@pytest.mark.parametrize(("status", "word", "retryable"), STATUSES)
def test_what_a_status_means(
    status: int, word: str, retryable: bool, post: Callable[..., Outcome], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status, headers={"Location": httpserver.url_for("/x")})

    outcome = post(httpserver.url_for("/hook"))

    assert (outcome.word, outcome.retryable) == (word, retryable)
    assert [request.path for request, _ in httpserver.log] == ["/hook"]


def test_a_message_is_signed_and_says_what_it_is(
    post: Callable[..., Outcome], httpserver: HTTPServer, tenant: Tenant
) -> None:
    httpserver.expect_request("/hook", method="POST").respond_with_data("")

    post(httpserver.url_for("/hook"))

    request = httpserver.log[0][0]
    (secret,) = secrets_of(tenant)
    body = Webhook(secret).verify(request.data, dict(request.headers))
    assert request.headers["webhook-id"] == webhook_id(KEY)
    assert request.headers["content-type"] == "application/json"
    assert body["type"] == "outage.page"
    assert body["timestamp"] == "2026-11-20T09:00:00+00:00"
    assert body["data"] == {
        "delivery_id": "d-1",
        "run_id": "r-1",
        "workflow": "outage",
        "step": "page",
        "subject": "anna",
        "correlation": {"incident": "7"},
        "data": {"level": 3, "team": "night"},
        "title": "Down",
        "text": "It is down ✗",
    }


def test_every_try_has_one_id_and_one_body_and_a_time_of_its_own(
    post: Callable[..., Outcome], httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    httpserver.expect_request("/hook").respond_with_data("", 500)
    post(httpserver.url_for("/hook"))

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=2)

    monkeypatch.setattr("deliveries.channels.webhook.datetime", Later)
    post(httpserver.url_for("/hook"), attempt=2)

    (first, _), (second, _) = httpserver.log
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.data == second.data
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) >= 119


def test_after_a_rotation_both_secrets_verify_until_the_old_one_ends(
    post: Callable[..., Outcome], httpserver: HTTPServer, tenant: Tenant
) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    put_endpoint(tenant_id=tenant.pk, key="pager", url=httpserver.url_for("/hook"))
    (old,) = secrets_of(tenant)
    new = rotate_secret(tenant_id=tenant.pk, key="pager", overlap=timedelta(hours=1)).secret

    post(httpserver.url_for("/hook"))
    newest = rotate_secret(tenant_id=tenant.pk, key="pager", overlap=timedelta(0)).secret
    post(httpserver.url_for("/hook"))

    (overlapping, _), (after, _) = httpserver.log
    for secret in (old, new):
        Webhook(secret).verify(overlapping.data, dict(overlapping.headers))
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(after.data, dict(after.headers))
    Webhook(newest).verify(after.data, dict(after.headers))


@pytest.mark.parametrize(
    ("status", "header", "expected"),
    [(429, "7", 7.0), (503, "120", 120.0), (503, "999999999", 86400.0), (429, "soon", None), (500, "7", None)],
)
def test_a_receiver_may_ask_for_time(
    status: int, header: str, expected: float | None, post: Callable[..., Outcome], httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/hook").respond_with_data("", status, headers={"Retry-After": header})

    assert post(httpserver.url_for("/hook")).retry_after == expected


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    assert 30 < (retry_after(later) or 0) <= 90
    assert retry_after(format_datetime(datetime.now(UTC) - timedelta(days=1), usegmt=True)) == 0.0
    assert retry_after("Fri, 99 Foo 2026 99:99:99 GMT") is None


def test_a_receiver_that_hangs_is_temporary(post: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calling, "exchange", partial(exchange, total_seconds=0.3))
    with socket.create_server(("127.0.0.1", 0)) as server:
        outcome = post(f"http://127.0.0.1:{server.getsockname()[1]}/hook")

    assert (outcome.word, outcome.error, outcome.retryable) == ("temporary_failure", "network ReadTimeout", True)


def test_a_refused_connection_is_temporary(post: Callable[..., Outcome]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert post(f"http://127.0.0.1:{port}/hook").word == "temporary_failure"


def test_a_certificate_that_proves_nothing_is_permanent(
    post: Callable[..., Outcome], untrusted_server: HTTPServer
) -> None:
    outcome = post(f"https://127.0.0.1:{untrusted_server.port}/hook")

    assert (outcome.word, outcome.error) == ("permanent_failure", "certificate not valid")
    assert untrusted_server.log == []


def test_an_address_that_became_private_is_refused_and_named(
    post: Callable[..., Outcome], settings: Any, httpserver: HTTPServer
) -> None:
    # stored as a name; only its answer, at the moment of sending, is refused
    settings.OUTBOUND_ALLOWED_NETWORKS = []

    outcome = post(f"http://localhost:{httpserver.port}/hook")

    assert (outcome.word, outcome.error) == ("permanent_failure", "address refused: loopback")
    assert httpserver.log == []


def test_a_message_beyond_the_limit_is_not_sent(post: Callable[..., Outcome], httpserver: HTTPServer) -> None:
    outcome = post(httpserver.url_for("/hook"), content=Rendered(text="x" * 300_000))

    assert (outcome.word, outcome.error, httpserver.log) == ("permanent_failure", "message too large", [])


def test_a_disabled_endpoint_suppresses_and_a_missing_one_fails(tenant: Tenant) -> None:
    with pytest.raises(Undeliverable) as missing:
        WebhookChannel().send(a_message(tenant.pk))
    put_endpoint(tenant_id=tenant.pk, key="pager", url="https://example.com/", enabled=False)
    with pytest.raises(Undeliverable) as disabled:
        WebhookChannel().send(a_message(tenant.pk))

    assert (missing.value.word, missing.value.error) == ("permanent_failure", "no_endpoint")
    assert (disabled.value.word, disabled.value.error) == ("suppressed", "endpoint_disabled")


def test_another_tenants_endpoint_is_not_found(
    post: Callable[..., Outcome], httpserver: HTTPServer, other_tenant: Tenant
) -> None:
    httpserver.expect_request("/hook").respond_with_data("")
    post(httpserver.url_for("/hook"))

    with pytest.raises(Undeliverable):
        WebhookChannel().send(a_message(other_tenant.pk))


def test_a_try_during_an_outage_reaches_nobody_twice_at_once(
    post: Callable[..., Outcome], httpserver: HTTPServer
) -> None:
    seen: list[str] = []

    def flaky(request: Request) -> Response:
        seen.append(json.loads(request.data)["data"]["delivery_id"])
        return Response(status=500 if len(seen) == 1 else 200)

    httpserver.expect_request("/hook").respond_with_handler(flaky)

    words = [post(httpserver.url_for("/hook")).word for _ in range(2)]

    assert (words, seen) == (["temporary_failure", "delivered"], ["d-1", "d-1"])
