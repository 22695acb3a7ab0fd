"""Every list and every parameter of a query in the OpenAPI document, where another tenant has rows and names them."""

import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from chimeway_py.schema import document
from tenants.models.api_key import Scope
from tenants.services import create_api_key, create_tenant
from tests.api.neighbours import CANARY, KEY, OWNED
from tests.api.rich import Names, made, make_party

_MARK = re.compile(rf"zebra|{CANARY}|^{KEY}$|^[0-9a-f]{{8}}-[0-9a-f]{{4}}-")
Items = list[dict[str, Any]]
LISTS: Mapping[str, list[str]] = {
    path: [one["name"] for one in verbs["get"].get("parameters", ()) if one["in"] == "query"]
    for path, verbs in document()["paths"].items()
    if "get" in verbs and "{" not in path
}
PAGED = sorted(path for path, names in LISTS.items() if "cursor" in names)
SINGLE = {
    "/v1/definitions/schema": "the same for everybody",
    "/v1/heads/keys": "the same for everybody",
    "/v1/limits": "one object of the tenant",
    "/v1/preference-defaults": "one object of the tenant",
    "/v1/retention/plan": "counts of the tenant's own runs",
    "/v1/retention/policies": "what holds for each kind of end, with or without a policy",
    "/v1/sending-rules": "one object of the tenant",
    "/v1/tenant": "one object of the tenant",
}
#: parameters that name something: the member of a row of the list that has it, or what a party calls it
NAMING: Mapping[str, tuple[str, ...]] = {
    "action": ("action",),
    "broadcast": ("broadcast_id", "names.broadcast"),
    "category": ("category",),
    "correlation.<name>": ("names.value",),
    "key": ("key",),
    "kind": ("kind",),
    "name": ("name",),
    "object_kind": ("object_kind",),
    "object_ref": ("object_ref",),
    "operator": ("operator",),
    "provider": ("provider", "names.provider"),
    "run": ("run_id", "run", "names.run"),
    "source": ("source",),
    "step": ("step",),
    "subject": ("subject",),
    "template": ("template", "names.template"),
    "waiting_on": ("names.waiting_on",),
    "workflow": ("workflow", "names.definition"),
}
#: parameters that name nothing of a tenant's: words that are the same for all, whole numbers, times
PLAIN = {"channel", "decided_by", "error", "held", "lifted", "limit", "moved", "state", "status", "type", "verdict"}
PLAIN |= {"word", "cursor", "created_after", "created_before", "due_before", "planned_after", "planned_before"}
#: where a neighbour's own list stays empty under its own name, because it needs what no message here has
NOT_TRIED = {("/v1/deliveries", "category"), ("/v1/deliveries", "provider")}

Owner = tuple[APIClient, Names]


@pytest.fixture(scope="module")
def asker() -> APIClient:
    """Who asks, and has everything of its own."""
    return make_party("koala").client


@pytest.fixture(scope="module")
def owner_of() -> Callable[[str], Owner]:
    """`owner_of(path)` has rows in that list, and names for what is in them."""
    party = make_party("zebra")
    slug = party.tenant.slug
    call_command("limits", "set", slug, "live_runs", "1000000", by="zebra_ada", verbosity=0)
    call_command("limits", "set", slug, "live_runs", "default", by="zebra_ada", verbosity=0)

    def find(path: str) -> Owner:
        if made(party.client.get(path))["items"]:
            return party.client, party.names
        tenant, client = create_tenant(slug=f"t-{uuid.uuid4().hex[:20]}"), APIClient()
        token = create_api_key(tenant_id=tenant.pk, name="sweep", scopes=Scope.values).token
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        OWNED[path.removeprefix("/v1/")](client, tenant)
        return client, {}

    return find


def marks(rows: Any) -> set[str]:
    """What tells these rows from all others: ids, and words that only their tenant uses."""
    if isinstance(rows, str):
        return {rows} if _MARK.search(rows) else set()
    inner = rows.values() if isinstance(rows, dict) else rows if isinstance(rows, list) else ()
    return set().union(*map(marks, inner))


def shown(answer: Any, items: Items) -> set[str]:
    """Those of the marks that an answer shows."""
    text = answer.getvalue().decode()
    return {mark for mark in marks(items) if json.dumps(mark)[1:-1] in text}


def value_of(name: str, items: Items, names: Names) -> Any:
    """Another tenant's name for what this parameter names; None when its rows have none."""
    known = items[0] | {f"names.{kind}": value for kind, value in names.items()}
    return next((known[place] for place in NAMING[name] if known.get(place)), None)


def test_every_list_and_every_parameter_has_an_entry() -> None:
    assert set(LISTS) - set(PAGED) == set(SINGLE)
    assert {name for path in PAGED for name in LISTS[path]} == NAMING.keys() | PLAIN


@pytest.mark.parametrize("path", PAGED)
def test_no_list_no_filter_and_no_cursor_shows_rows_of_another_tenant(
    path: str, asker: APIClient, owner_of: Callable[[str], Owner]
) -> None:
    owner, names = owner_of(path)
    theirs = made(owner.get(path, {"limit": 200}))["items"]
    assert theirs, "or it would prove nothing"
    assert shown(owner.get(path, {"limit": 200}), theirs) == marks(theirs) != set()

    assert shown(asker.get(path, {"limit": 200}), theirs) == set()
    for name in (name for name in LISTS[path] if name in NAMING):
        value = value_of(name, theirs, names)
        query = {name.replace("<name>", "order"): value or "nothing"}
        found = bool(value) and bool(made(owner.get(path, query))["items"])
        assert found != ((path, name) in NOT_TRIED), f"{query} {theirs[0]}"
        answer = asker.get(path, query)
        assert (answer.status_code in {200, 400, 404}, shown(answer, theirs)) == (True, set()), query
    cursor = made(owner.get(path, {"limit": 1}))["next"]
    if cursor:
        answer = asker.get(path, {"limit": 200, "cursor": cursor})
        assert (answer.status_code in {200, 400}, shown(answer, theirs)) == (True, set())
