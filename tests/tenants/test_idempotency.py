"""`Idempotency-Key`: one request is carried out once, however often and at once it is sent."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from signals_app.models import Signal
from tenants.api.idempotency import PLACE
from tenants.models import IdempotencyRecord, Tenant
from tenants.scope import tenant_scope
from tenants.vault import vault_of


def post(client: APIClient, key: str, name: str = "invoice.paid") -> Any:
    return client.post("/v1/signals", {"name": name}, headers={"Idempotency-Key": key})


def count(tenant: Tenant) -> int:
    with tenant_scope(tenant.pk):
        return Signal.objects.count()


def test_the_same_request_gets_the_stored_answer(rest: APIClient, tenant: Tenant) -> None:
    first, again = post(rest, "k"), post(rest, "k")

    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert count(tenant) == 1


def test_another_request_under_the_key_is_a_conflict(rest: APIClient, tenant: Tenant) -> None:
    post(rest, "k")

    answer = post(rest, "k", name="invoice.voided")

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert count(tenant) == 1


def test_a_refused_request_may_be_corrected_under_its_key(rest: APIClient) -> None:
    assert post(rest, "k", name="Not A Name").status_code == 400
    assert post(rest, "k").status_code == 202


def test_two_tenants_may_use_one_key(client_of: Callable[..., APIClient], tenant: Tenant, other_tenant: Tenant) -> None:
    answers = [post(client_of(owner), "k") for owner in (tenant, other_tenant)]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] != answers[1].json()["id"]


def test_ten_at_once_are_carried_out_once(
    client_of: Callable[..., APIClient], tenant: Tenant, together: Callable[..., list[Any]]
) -> None:
    clients = [client_of(tenant) for _ in range(10)]

    answers = together(*[lambda client=client: post(client, "k") for client in clients])

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert [answer.get("Idempotency-Replayed") for answer in answers].count("true") == 9
    assert count(tenant) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "caf\xe9", "tab\tbed"])
def test_a_key_that_is_not_visible_ascii_is_refused(rest: APIClient, key: str) -> None:
    answer = post(rest, key)

    assert answer.status_code == 400
    assert answer.json()["detail"][0]["path"] == "/Idempotency-Key"


def test_a_secret_that_is_shown_once_is_not_kept_with_the_answer(rest: APIClient, tenant: Tenant) -> None:
    source = {"key": "upstream", "scheme": "github", "mapping": {"name": "action"}}

    first = rest.post("/v1/sources", source, headers={"Idempotency-Key": "k"})
    again = rest.post("/v1/sources", source, headers={"Idempotency-Key": "k"})

    secret = first.json()["secret"]
    assert again.status_code == 201
    assert "secret" not in again.json()
    with tenant_scope(tenant.pk):
        kept = IdempotencyRecord.objects.get().sealed
        assert kept is not None
        assert secret not in vault_of(tenant.pk).open(PLACE, "k", bytes(kept))
