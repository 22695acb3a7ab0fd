"""Every address of the OpenAPI document, asked for with the ids of another tenant: as though they did not exist."""

from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from rest_framework.test import APIClient

from chimeway_py.schema import document
from tenants.models import Tenant
from tenants.models.tenant import TenantRow
from tenants.scope import tenant_scope
from tests.api.neighbours import (
    BODIES,
    BY_SIGNATURE,
    CANARY,
    OWN_NAMES,
    OWNED,
    QUERIES,
    SAID,
    kind_of,
    missing,
    names,
)

TABLES = sorted(model._meta.db_table for model in apps.get_models() if issubclass(model, TenantRow))
ROWS = "SELECT '{0}', count(*), coalesce(md5(string_agg(t::text, '' ORDER BY id)), '') FROM {0} t WHERE tenant_id = {1}"
VERBS = ("get", "post", "put", "patch", "delete")
PATHS = document()["paths"]
ASKED = [f"{verb} {path}" for path, verbs in PATHS.items() for verb in VERBS if verb in verbs and "{" in path]
BY_ID = [asked for asked in ASKED if asked not in OWN_NAMES | BY_SIGNATURE]


def ask(client: APIClient, asked: str, name: str) -> Any:
    """The answer to one verb at one address, with a valid body."""
    verb, path = asked.split()
    return getattr(client, verb)(path.format(**names(name)) + QUERIES.get(asked, ""), BODIES.get(asked))


def unnamed(answer: Any, name: str) -> str:
    """What an answer says, but for what was asked for and the id of the request."""
    return str(answer.json() | {"request_id": ""}).replace(name, "")


def said(answer: Any) -> str:
    """The text of an answer, also of one that comes in parts."""
    return str(answer.getvalue().decode())


def contents(tenant: Tenant) -> dict[str, tuple[int, str]]:
    """How many rows a tenant has in each table, and a digest of all of them."""
    with tenant_scope(tenant.pk), connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(ROWS.format(table, tenant.pk) for table in TABLES))
        return {table: (count, digest) for table, count, digest in cursor}


def counts(tenant: Tenant) -> dict[str, int]:
    return {table: count for table, (count, _) in contents(tenant).items()}


@pytest.fixture
def owner(client_of: Callable[..., APIClient], other_tenant: Tenant) -> APIClient:
    """The other tenant, to whom everything belongs."""
    return client_of(other_tenant)


def test_every_address_has_an_entry() -> None:
    writes = {asked for asked in ASKED if not asked.startswith("get ")}

    assert {kind_of(asked.split()[1]) for asked in ASKED} - OWNED.keys() == set()
    assert writes - BODIES.keys() == set()
    assert set(ASKED) >= OWN_NAMES | BY_SIGNATURE


@pytest.mark.parametrize("asked", BY_ID)
def test_what_another_tenant_has_is_missing(
    asked: str, rest: APIClient, owner: APIClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = OWNED[kind_of(asked.split()[1])](owner, other_tenant)
    never = missing(kind_of(asked.split()[1]))
    nobodys = ask(rest, asked, never)
    before, own = contents(other_tenant), counts(tenant)

    answer = ask(rest, asked, theirs)

    assert (answer.status_code, answer["Content-Type"]) == (404, "application/json"), answer.content
    assert nobodys.status_code == 404
    assert answer.json().keys() == {"code", "message", "detail", "request_id"}
    assert unnamed(answer, theirs) == unnamed(nobodys, never)
    assert contents(other_tenant) == before
    assert counts(tenant) == own


@pytest.mark.parametrize("asked", BY_ID)
def test_its_owner_meets_it_with_the_same_words(asked: str, owner: APIClient, other_tenant: Tenant) -> None:
    """Or the 404 of the sweep would prove nothing."""
    theirs = OWNED[kind_of(asked.split()[1])](owner, other_tenant)

    assert ask(owner, asked, theirs).status_code in {200, 201, 202, 204, 409}


@pytest.mark.parametrize("asked", sorted(OWN_NAMES))
def test_the_same_name_is_another_object_for_each_tenant(
    asked: str, rest: APIClient, owner: APIClient, other_tenant: Tenant
) -> None:
    theirs = OWNED[kind_of(asked.split()[1])](owner, other_tenant)
    before = contents(other_tenant)

    answer = ask(rest, asked, theirs)

    assert answer.status_code in {200, 201}
    assert '"items":[{' not in said(answer)
    assert contents(other_tenant) == before


@pytest.mark.parametrize("asked", sorted(BY_SIGNATURE))
def test_an_api_key_is_no_signature(
    asked: str, rest: APIClient, owner: APIClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    theirs = OWNED[kind_of(asked.split()[1])](owner, other_tenant)
    before, own = counts(other_tenant), counts(tenant)

    answer = ask(rest, asked, theirs)

    assert answer.status_code == 401
    assert (counts(other_tenant), counts(tenant)) == (before, own)


def test_lists_hold_nothing_of_another_tenant(rest: APIClient, owner: APIClient, other_tenant: Tenant) -> None:
    theirs = OWNED["runs"](owner, other_tenant)
    lists = [path for path, verbs in PATHS.items() if "get" in verbs and "{" not in path]

    answers = [rest.get(path) for path in lists] + [rest.get(f"/v1/deliveries?run={theirs}")]

    assert {answer.status_code for answer in answers} == {200}
    told = (theirs, CANARY, SAID)
    assert not [answer for answer in answers if any(one.encode() in answer.content for one in told)]
