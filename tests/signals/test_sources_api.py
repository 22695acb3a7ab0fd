"""Webhook sources in REST: the secret is shown once; another tenant's source is missing."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.models import Scheme, SignalSource
from tenants.models import Tenant
from tenants.models.api_key import Scope
from tenants.scope import tenant_scope

NEW = {"key": "billing", "scheme": "stripe", "mapping": {"name": "type"}}


def create(client: APIClient, **changes: Any) -> Any:
    return client.post("/v1/sources", NEW | changes)


def test_a_secret_is_shown_when_it_is_made_and_never_again(rest: APIClient) -> None:
    made = create(rest)

    secret, source = made.json()["secret"], made.json()["id"]
    assert made.status_code == 201
    assert made.json()["path"] == f"/hooks/{source}"
    for answer in (
        rest.get("/v1/sources"),
        rest.get(f"/v1/sources/{source}"),
        rest.patch(f"/v1/sources/{source}", {"name": "Billing"}),
    ):
        assert answer.status_code == 200
        assert secret.encode() not in answer.content


def test_the_senders_own_secret_is_taken(rest: APIClient) -> None:
    secret = "whsec_made_by_the_sender"

    assert create(rest, secret=secret).json()["secret"] == secret


def test_a_word_that_is_none_of_a_few_is_answered_with_them(rest: APIClient) -> None:
    [told] = create(rest, scheme="rot13").json()["detail"]

    assert (told["path"], told["message"]) == ("/scheme", f"One of {', '.join(Scheme.values)}.")


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"key": "api"}, "/key", "reserved"),
        ({"key": "inbox"}, "/key", "reserved"),
        ({"key": "Not A Key"}, "/key", "bad_key"),
        ({"scheme": "rot13"}, "/scheme", "invalid_choice"),
        ({"secret": "short"}, "/secret", "bad_secret"),
        ({"mapping": {}}, "/mapping/name", "missing"),
        ({"mapping": {"name": "type", "nmae": "x"}}, "/mapping/nmae", "unknown_key"),
        ({"name_map": {"x": "Not A Name"}}, "/name_map/x", "bad_name"),
        ({"tenant": 1}, "/tenant", "unknown_key"),
        ({"secrets": []}, "/secrets", "unknown_key"),
        ({"rejected_count": 0}, "/rejected_count", "unknown_key"),
    ],
)
def test_a_source_that_cannot_work_is_400_by_path(
    rest: APIClient, changes: dict[str, Any], path: str, code: str
) -> None:
    answer = create(rest, **changes)

    assert answer.status_code == 400
    assert [(found["path"], found["code"]) for found in answer.json()["detail"]] == [(path, code)]
    assert rest.get("/v1/sources").json()["items"] == []


def test_a_key_is_taken_once_in_each_tenant(
    client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant
) -> None:
    assert create(client_of(other_tenant)).status_code == 201
    assert create(client_of(tenant)).status_code == 201

    answer = create(client_of(tenant))

    assert (answer.status_code, answer.json()["code"]) == (409, "source_exists")


def test_up_to_three_secrets_are_live(rest: APIClient, tenant: Tenant) -> None:
    address = f"/v1/sources/{create(rest).json()['id']}/rotate"

    statuses = [rest.post(address, {"overlap_seconds": 3600}).status_code for _ in range(3)]
    at_once = rest.post(address, {"overlap_seconds": 0})

    assert statuses == [201, 201, 409]
    assert at_once.status_code == 201
    assert len(at_once.json()["secrets"]) == 1


def test_a_later_rotation_never_lets_a_secret_live_longer(rest: APIClient) -> None:
    address = f"/v1/sources/{create(rest).json()['id']}/rotate"
    ends = rest.post(address, {"overlap_seconds": 60}).json()["secrets"][0]["not_after"]

    later = rest.post(address, {"overlap_seconds": 3600}).json()["secrets"]

    assert later[0]["not_after"] == ends
    assert later[-1]["not_after"] is None


@pytest.mark.parametrize("overlap", [-1, 31 * 86400, "soon", 1.5])
def test_a_bad_overlap_is_400(rest: APIClient, overlap: Any) -> None:
    address = f"/v1/sources/{create(rest).json()['id']}/rotate"

    answer = rest.post(address, {"overlap_seconds": overlap})

    assert (answer.status_code, answer.json()["detail"][0]["path"]) == (400, "/overlap_seconds")


def test_key_scheme_and_secrets_do_not_change_in_place(rest: APIClient) -> None:
    address = f"/v1/sources/{create(rest).json()['id']}"

    for member in ("key", "scheme", "secret", "secrets", "id"):
        assert rest.patch(address, {member: "x"}).status_code == 400
    assert rest.patch(address, {"mapping": {"nmae": "x"}}).status_code == 400
    assert rest.get(address).json()["mapping"] == NEW["mapping"]


def test_another_tenants_source_is_missing_for_every_verb(
    client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = create(client_of(other_tenant)).json()["id"]
    mine = client_of(tenant)

    for public_id in (theirs, uuid.uuid4()):
        answers = [
            mine.get(f"/v1/sources/{public_id}"),
            mine.patch(f"/v1/sources/{public_id}", {"enabled": False}),
            mine.delete(f"/v1/sources/{public_id}"),
            mine.post(f"/v1/sources/{public_id}/rotate", {}),
        ]
        assert [answer.status_code for answer in answers] == [404] * 4
        assert {answer.json()["message"] for answer in answers} == {"No such object in this tenant."}
    with tenant_scope(other_tenant.pk):
        kept = SignalSource.objects.get()
        assert (kept.enabled, len(kept.secrets)) == (True, 1)


def test_a_source_is_forgotten_and_its_signals_stay(rest: APIClient) -> None:
    address = f"/v1/sources/{create(rest).json()['id']}"

    assert rest.delete(address).status_code == 204
    assert rest.get(address).status_code == 404


def test_a_key_that_posts_signals_cannot_touch_sources(client_of: Callable[..., APIClient], tenant: Tenant) -> None:
    narrow = client_of(tenant, [Scope.SIGNALS_WRITE, Scope.SIGNALS_READ])

    assert {create(narrow).status_code, narrow.get("/v1/sources").status_code} == {403}
