"""Who may call: live keys with the right scope, in either header; everything else in one shape."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope
from tenants.services import create_api_key, revoke_api_key

BODY = {"code", "message", "detail", "request_id"}


@pytest.fixture
def anybody() -> APIClient:
    return APIClient(raise_request_exception=False)


def test_a_key_shows_its_tenant(rest: APIClient, tenant: Tenant) -> None:
    answer = rest.get("/v1/tenant")

    assert answer.status_code == 200
    assert answer.json()["slug"] == tenant.slug
    assert answer.json()["scopes"] == sorted(Scope.values)
    assert answer["X-Request-Id"]
    assert answer["Cache-Control"] == "no-store"


def test_a_key_may_come_in_its_own_header(anybody: APIClient, tenant: Tenant, api_key: Callable[..., str]) -> None:
    assert anybody.get("/v1/tenant", headers={"X-Api-Key": api_key(tenant)}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer cw_x_y"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": "Bearer \xe9\xff"},
        {"X-Api-Key": "cw_" + "a" * 12 + "_" + "b" * 43},
        {"X-Api-Key": "a" * 4000},
    ],
)
def test_without_a_live_key_everything_is_401(anybody: APIClient, headers: dict[str, str]) -> None:
    answer = anybody.get("/v1/tenant", headers=headers)

    assert answer.status_code == 401
    assert answer.json().keys() == BODY
    assert answer.json()["code"] == "not_authenticated"
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_is_refused_at_once(anybody: APIClient, tenant: Tenant) -> None:
    issued = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[])
    anybody.credentials(HTTP_AUTHORIZATION=f"Bearer {issued.token}")
    assert anybody.get("/v1/tenant").status_code == 200

    revoke_api_key(tenant_id=tenant.pk, public_id=issued.row.public_id)

    assert anybody.get("/v1/tenant").status_code == 401


def test_an_expired_key_is_refused(anybody: APIClient, tenant: Tenant) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    token = create_api_key(tenant_id=tenant.pk, name="ci", scopes=[], expires_at=past).token

    assert anybody.get("/v1/tenant", headers={"X-Api-Key": token}).status_code == 401


def test_a_narrow_key_is_told_the_scope_it_lacks(client_of: Callable[..., APIClient], tenant: Tenant) -> None:
    answer = client_of(tenant, [Scope.SIGNALS_WRITE]).get("/v1/signals")

    assert answer.status_code == 403
    assert answer.json()["code"] == "missing_scope"
    assert answer.json()["detail"] == {"scope": "signals:read"}


def test_a_suspended_tenant_is_refused(rest: APIClient, tenant: Tenant) -> None:
    with tenant_scope(tenant.pk) as scope:
        Tenant.objects.filter(id=tenant.pk).update(suspended_at=scope.now)

    answer = rest.get("/v1/tenant")

    assert (answer.status_code, answer.json()["code"]) == (403, "tenant_suspended")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_a_method_that_nothing_answers_is_405(rest: APIClient, method: str) -> None:
    answer = rest.generic(method.upper(), "/v1/tenant")

    assert answer.status_code == 405
    assert answer.json()["code"] == "method_not_allowed"
    assert answer["Allow"] == "GET, HEAD"


def test_an_address_that_nothing_answers_looks_like_a_missing_object(rest: APIClient) -> None:
    nowhere, nothing = rest.get("/v1/nowhere"), rest.get("/v1/signals/01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10")

    assert nowhere.status_code == nothing.status_code == 404
    assert {**nowhere.json(), "request_id": ""} == {**nothing.json(), "request_id": ""}
