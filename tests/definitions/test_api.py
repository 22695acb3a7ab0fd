"""Definitions over HTTP."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

from tenants.models import Tenant
from tenants.models.api_key import Scope
from tests.definitions.documents import GRACE, LAST, TELL, document, wait
from workflows.definitions.writer import write_yaml
from workflows.services import definitions


def put(rest: APIClient, raw: Any, **headers: str) -> Any:
    return rest.put("/v1/definitions/dunning", json.dumps(raw), content_type="application/json", headers=headers)


@pytest.fixture
def published(tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document())


def test_a_draft_is_saved_published_and_read(rest: APIClient) -> None:
    created = rest.post("/v1/definitions", document(), format="json")
    assert (created.status_code, created.data["version"], created.data["status"]) == (201, 1, "draft")
    assert rest.get("/v1/definitions/dunning").status_code == 404  # nothing is published yet

    published = rest.post("/v1/definitions/dunning/versions/1/publish")

    assert (published.status_code, published.data["status"]) == (200, "published")
    current = rest.get("/v1/definitions/dunning")
    assert current.data["document"] == document()
    assert current.data["id"] == created.data["id"]


def test_yaml_is_taken_as_it_is(rest: APIClient) -> None:
    answer = rest.post("/v1/definitions", write_yaml(document()), content_type="application/yaml; charset=utf-8")

    assert (answer.status_code, answer.data["document"]) == (201, document())


def test_putting_changes_the_draft_and_never_a_published_version(rest: APIClient, published: None) -> None:
    assert put(rest, document()).data["version"] == 1  # the same document: nothing to draft
    assert put(rest, document(deadline="P1D")).data["version"] == 2
    assert put(rest, document(deadline="P2D")).data["version"] == 2

    assert rest.get("/v1/definitions/dunning/versions/1").data["document"] == document()
    assert rest.get("/v1/definitions/dunning/versions/2").data["document"] == document(deadline="P2D")


def test_the_key_of_the_address_is_the_key_of_the_document(rest: APIClient) -> None:
    answer = put(rest, document(key="other"))

    assert (answer.status_code, answer.data["detail"][0]["path"]) == (400, "/key")


@pytest.mark.parametrize(
    ("body", "content_type", "status", "code", "path"),
    [
        (
            json.dumps(document(wait(on_timeout={"goto": "x"}))),
            "application/json",
            400,
            "invalid_definition",
            "/steps/0/on_timeout/goto",
        ),
        ('{"key": "a", "key": "b"}', "application/json", 400, "invalid", "/key"),
        ('{"key": "\\u0000"}', "application/json", 400, "invalid", "/key"),
        ("[]", "application/json", 400, "invalid", ""),
        ("key: 1\nkey: 2", "application/yaml", 400, "invalid_definition", "/key"),
        ("a: &a [*a]", "application/yaml", 400, "invalid_definition", "/a/0"),
        ("x" * 300_000, "application/yaml", 400, "invalid_definition", ""),
        (json.dumps({"key": "x" * 300_000}), "application/json", 400, "invalid_definition", ""),
        ("", "application/json", 400, "invalid_definition", "/key"),
    ],
)
def test_what_cannot_be_saved_is_refused_with_its_path(
    rest: APIClient, tenant: Tenant, body: str, content_type: str, status: int, code: str, path: str
) -> None:
    answer = rest.post("/v1/definitions", body, content_type=content_type)

    assert (answer.status_code, answer.data["code"]) == (status, code)
    assert answer.data["detail"][0]["path"] == path
    assert definitions.latest_definitions(tenant_id=tenant.pk) == []


def test_ten_thousand_steps_are_refused(rest: APIClient) -> None:
    steps = [{"key": f"s{number}"} for number in range(10_000)]

    answer = rest.post("/v1/definitions", json.dumps({"key": "a", "steps": steps}), content_type="application/json")

    assert (answer.status_code, answer.data["detail"][0]["path"]) == (400, "/steps")


def test_other_content_types_are_415(rest: APIClient) -> None:
    assert rest.post("/v1/definitions", "key=a", content_type="application/x-www-form-urlencoded").status_code == 415


def test_an_idempotency_key_saves_once(rest: APIClient) -> None:
    first = put(rest, document(), **{"Idempotency-Key": "k1"})
    second = put(rest, document(), **{"Idempotency-Key": "k1"})
    other = put(rest, document(deadline="P1D"), **{"Idempotency-Key": "k1"})

    assert second.headers["Idempotency-Replayed"] == "true"
    assert first.json() == second.json()
    assert (other.status_code, other.data["code"]) == (409, "idempotency_key_reused")


def test_retiring(rest: APIClient, published: None) -> None:
    answer = rest.post("/v1/definitions/dunning/versions/1/retire")
    refused = rest.post("/v1/definitions/dunning/versions/1/publish")

    assert (answer.status_code, answer.data["status"]) == (200, "retired")
    assert (refused.status_code, refused.data["code"]) == (409, "wrong_status")


def test_the_list_is_paged_and_filtered(rest: APIClient, tenant: Tenant) -> None:
    for key in ("a", "b", "c"):
        definitions.ensure_definition(tenant_id=tenant.pk, document=document(key=key))
    definitions.save_draft(tenant_id=tenant.pk, document=document(key="a", deadline="P1D"))

    first = rest.get("/v1/definitions?limit=3").data
    rest_of_it = rest.get("/v1/definitions", {"limit": 3, "cursor": first["next"]}).data

    assert [(row["key"], row["version"]) for row in first["items"]] == [("a", 2), ("c", 1), ("b", 1)]
    assert [(row["key"], row["version"]) for row in rest_of_it["items"]] == [("a", 1)]
    assert "document" not in first["items"][0]
    assert [row["status"] for row in rest.get("/v1/definitions?key=a").data["items"]] == ["draft", "published"]
    assert len(rest.get("/v1/definitions?status=published").data["items"]) == 3


@pytest.mark.parametrize("query", ["status=open", "colour=red", "limit=-1", "cursor=x", "key=%00"])
def test_a_bad_query_is_a_400(rest: APIClient, query: str) -> None:
    answer = rest.get(f"/v1/definitions?{query}")

    assert (answer.status_code, answer.data["detail"][0]["path"]) == (400, "/" + query.partition("=")[0])


def test_the_diff(rest: APIClient, tenant: Tenant) -> None:
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL, GRACE))
    definitions.ensure_definition(tenant_id=tenant.pk, document=document(TELL, GRACE, LAST))

    answer = rest.get("/v1/definitions/dunning/diff?from=1&to=2")

    assert answer.data == {"changes": [{"path": "/steps/last", "kind": "added", "before": None, "after": LAST}]}
    assert rest.get("/v1/definitions/dunning/diff?from=1&to=3").status_code == 404
    assert rest.get("/v1/definitions/dunning/diff?from=1").data["detail"][0]["path"] == "/to"


def test_the_schema_judges_documents(rest: APIClient) -> None:
    schema = rest.get("/v1/definitions/schema").json()

    Draft202012Validator(schema).validate(document())
    assert not Draft202012Validator(schema).is_valid(document(colour="red"))


def test_validate_tells_all_faults_and_saves_nothing(rest: APIClient, tenant: Tenant) -> None:
    good = rest.post("/v1/definitions/validate", document(), format="json")
    bad = rest.post("/v1/definitions/validate", document(wait(**{"for": "P1M"}), colour="red"), format="json")

    assert (good.status_code, good.json()) == (200, {"valid": True, "faults": []})
    assert (bad.status_code, bad.json()["valid"]) == (200, False)
    assert {one["path"] for one in bad.json()["faults"]} == {"/colour", "/steps/0/for"}
    assert definitions.latest_definitions(tenant_id=tenant.pk) == []


ADDRESSES = [
    ("get", "/v1/definitions/dunning"),
    ("get", "/v1/definitions/dunning/versions/1"),
    ("post", "/v1/definitions/dunning/versions/1/publish"),
    ("post", "/v1/definitions/dunning/versions/1/retire"),
    ("get", "/v1/definitions/dunning/diff?from=1&to=1"),
    ("get", "/v1/definitions/dunning/versions/99999999999999999999"),
]


@pytest.mark.parametrize(("method", "address"), ADDRESSES)
def test_another_tenants_definition_is_a_missing_one(
    published: None,
    client_of: Callable[..., APIClient],
    other_tenant: Tenant,
    tenant: Tenant,
    method: str,
    address: str,
) -> None:
    theirs = getattr(client_of(other_tenant), method)(address)
    nobodys = getattr(client_of(tenant), method)(address.replace("dunning", "nothing"))

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    for answer in (theirs, nobodys):
        answer.data.pop("request_id")
    assert theirs.data == nobodys.data
    assert definitions.fetch_definition(tenant_id=tenant.pk, key="dunning").status == "published"


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("post", "/v1/definitions"),
        ("put", "/v1/definitions/dunning"),
        ("post", "/v1/definitions/dunning/versions/1/publish"),
    ],
)
def test_a_reading_key_does_not_write(
    client_of: Callable[..., APIClient], tenant: Tenant, method: str, address: str
) -> None:
    answer = getattr(client_of(tenant, [Scope.DEFINITIONS_READ]), method)(address, document(), format="json")

    assert answer.status_code == 403
    assert definitions.latest_definitions(tenant_id=tenant.pk) == []
