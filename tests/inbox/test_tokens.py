"""Subscriber tokens: one inbox, some minutes, no more than the key, and nothing else."""

import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
from rest_framework.test import APIClient
from structlog.testing import capture_logs

from deliveries.inbox.tokens import find_subscriber, make_token
from tenants.models import ApiKey, Tenant
from tenants.models.api_key import Scope
from tenants.scope import database_now, tenant_scope
from tenants.services import Caller, find_caller, revoke_api_key
from tests.deliveries.conftest import Journey
from tests.inbox.conftest import Fill

Browser = Callable[..., APIClient]


def key_of(tenant: Tenant) -> ApiKey:
    with tenant_scope(tenant.pk):
        return ApiKey.objects.get(tenant=tenant)


def test_a_token_opens_its_inbox(browser: Browser, fill: Fill) -> None:
    (item,) = fill(1)
    anna = browser("anna")

    assert [one["id"] for one in anna.get("/v1/inbox/anna").json()["items"]] == [str(item.public_id)]
    assert anna.get("/v1/inbox/anna/counts").json() == {"unread": 1, "unseen": 1}
    assert anna.post(f"/v1/inbox/anna/{item.public_id}/read").status_code == 200
    assert anna.post("/v1/inbox/anna/seen", {"all": True}).json() == {"marked": 1, "more": False}


def test_a_token_opens_nothing_else(browser: Browser, fill: Fill, journey: Journey) -> None:
    fill(1)
    (theirs,) = fill(1, "eve")
    anna = browser("anna")

    refused = [
        anna.get("/v1/inbox/eve"),
        anna.get("/v1/inbox/eve/counts"),
        anna.get("/v1/inbox/eve/stream?seconds=0"),
        anna.post(f"/v1/inbox/eve/{theirs.public_id}/read"),
        anna.post("/v1/inbox/eve/archive", {"all": True}),
        anna.post("/v1/inbox/anna/tokens", {}),
        anna.get("/v1/inbox/anna/x"),
        anna.get("/v1/runs"),
        anna.get("/v1/tenant"),
        anna.delete("/v1/subjects/anna"),
    ]

    assert {answer.status_code for answer in refused} == {401}
    assert journey.inbox("eve")[0].read_at is None


def test_another_tenants_inbox_of_the_same_subject_stays_shut(
    browser: Browser, fill: Fill, client_of: Callable[..., APIClient], other_tenant: Tenant
) -> None:
    fill(1)

    theirs = browser("anna", client_of(other_tenant)).get("/v1/inbox/anna").json()

    assert (theirs["items"], theirs["unread"]) == ([], 0)


def test_a_token_that_was_tampered_with_is_nobodys(rest: APIClient, tenant: Tenant) -> None:
    token = rest.post("/v1/inbox/anna/tokens", {}).json()["token"]
    prefix, ends, proof = token.removeprefix("cwi_").split("_", 2)
    later = f"cwi_{prefix}_{int(ends, 16) + 60:08x}_{proof}"

    assert isinstance(find_subscriber(token, "anna"), Caller)
    for wrong in [later, token[:-2] + "AA", token + "A", "cwi_", f"cwi_{'a' * 12}_{ends}_{proof}"]:
        assert find_subscriber(wrong, "anna") == "unknown"
    assert find_subscriber(token, "annA") == "unknown"


def test_a_token_ends_with_its_time(rest: APIClient, tenant: Tenant, api_key: Callable[..., str]) -> None:
    caller = find_caller(api_key(tenant))
    assert isinstance(caller, Caller)
    made = make_token(
        caller=caller, subject="anna", now=database_now() - timedelta(minutes=2), lifetime=timedelta(minutes=1)
    )

    assert find_subscriber(made.token, "anna") == "expired"
    rest.credentials(HTTP_AUTHORIZATION=f"Bearer {made.token}")
    assert rest.get("/v1/inbox/anna").status_code == 401


def test_revoking_the_key_ends_its_tokens(browser: Browser, tenant: Tenant) -> None:
    anna = browser("anna")

    revoke_api_key(tenant_id=tenant.pk, public_id=key_of(tenant).public_id)

    assert anna.get("/v1/inbox/anna").status_code == 401


def test_suspending_the_tenant_shuts_its_inboxes(browser: Browser, tenant: Tenant) -> None:
    anna = browser("anna")

    with tenant_scope(tenant.pk) as scope:
        Tenant.objects.filter(pk=tenant.pk).update(suspended_at=scope.now)

    answer = anna.get("/v1/inbox/anna")
    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")


def test_a_token_may_do_no_more_than_its_key(
    browser: Browser, client_of: Callable[..., APIClient], tenant: Tenant, fill: Fill
) -> None:
    fill(1)
    reader = browser("anna", client_of(tenant, [Scope.INBOX_READ, Scope.RUNS_WRITE]))

    assert reader.get("/v1/inbox/anna").status_code == 200
    assert reader.post("/v1/inbox/anna/read", {"all": True}).json()["code"] == "missing_scope"


@pytest.mark.parametrize("body", [{"minutes": 0}, {"minutes": 61}, {"minutes": "x"}, {"hours": 1}])
def test_a_bad_lifetime_is_named(rest: APIClient, body: dict[str, object]) -> None:
    answer = rest.post("/v1/inbox/anna/tokens", body)

    assert answer.status_code == 400
    assert [fault["path"] for fault in answer.json()["detail"]] == [f"/{next(iter(body))}"]


def test_a_replay_does_not_show_the_token_again(rest: APIClient) -> None:
    key = {"HTTP_IDEMPOTENCY_KEY": str(uuid.uuid4())}
    first, again = (rest.post("/v1/inbox/anna/tokens", {"minutes": 5}, **key).json() for _ in range(2))

    assert again == {"expires_at": first["expires_at"]}


def test_a_browser_takes_no_idempotency_key_of_the_tenant(browser: Browser, rest: APIClient, fill: Fill) -> None:
    (item,) = fill(1)
    key = {"HTTP_IDEMPOTENCY_KEY": "order-1"}

    refused = browser("anna").post("/v1/inbox/anna/read", {"all": True}, **key)

    assert (refused.status_code, refused.json()["detail"][0]["path"]) == (400, "/Idempotency-Key")
    assert rest.post(f"/v1/inbox/anna/{item.public_id}/seen", **key).status_code == 200


def test_only_the_stream_reads_a_token_from_the_address(rest: APIClient) -> None:
    token = rest.post("/v1/inbox/anna/tokens", {}).json()["token"]
    key = rest._credentials["HTTP_AUTHORIZATION"].split()[1]  # type: ignore[attr-defined]
    nobody = APIClient()

    assert nobody.get(f"/v1/inbox/anna/stream?seconds=0&token={token}").status_code == 200
    assert nobody.get(f"/v1/inbox/anna/stream?seconds=0&token={key}").status_code == 401
    assert nobody.get(f"/v1/inbox/anna?token={token}").status_code == 401
    assert nobody.get(f"/v1/inbox/anna/counts?token={token}").status_code == 401


def test_only_named_origins_may_read_from_a_browser(rest: APIClient, settings: object) -> None:
    settings.INBOX_ORIGINS = ["https://shop.example.com"]  # type: ignore[attr-defined]
    asked = {"HTTP_ACCESS_CONTROL_REQUEST_METHOD": "GET"}

    ours = rest.options("/v1/inbox/anna", HTTP_ORIGIN="https://shop.example.com", **asked)
    others = rest.options("/v1/inbox/anna", HTTP_ORIGIN="https://evil.example.com", **asked)
    elsewhere = rest.options("/v1/runs", HTTP_ORIGIN="https://shop.example.com", **asked)
    read = rest.get("/v1/inbox/anna", HTTP_ORIGIN="https://shop.example.com")

    assert (ours.status_code, ours["Access-Control-Allow-Origin"]) == (204, "https://shop.example.com")
    assert read["Access-Control-Allow-Origin"] == "https://shop.example.com"
    assert "Access-Control-Allow-Credentials" not in read
    assert not others.has_header("Access-Control-Allow-Origin")
    assert not elsewhere.has_header("Access-Control-Allow-Origin")


def test_a_token_in_an_address_is_not_logged(rest: APIClient) -> None:
    token = rest.post("/v1/inbox/anna/tokens", {}).json()["token"]

    with capture_logs() as lines:
        APIClient().get(f"/v1/inbox/anna/stream?seconds=0&token={token}")
        APIClient().get(f"/v1/inbox/eve/stream?seconds=0&token={token}")

    assert "/v1/inbox/<path:subject>/stream" in str(lines)
    assert token.split("_", 2)[2] not in str(lines)
