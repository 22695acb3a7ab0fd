"""Every page and every answer that the fullest tenants of a session have, as those see them who may see the most.

A superuser who is an admin of these tenants opens each list of the admin, and of each kind of row the newest with its
history and its forms. A key that may read all but what is meant for recipients asks every address of the OpenAPI
document that reads something, of the first that is there.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.test import Client
from django.urls import NoReverseMatch, reverse

from chimeway_py.schema import document
from tenants.admin.paging import page_of
from tenants.models import Role, Tenant
from tenants.models.api_key import Scope
from tenants.models.tenant import TenantRow
from tenants.scope import tenant_scope
from tenants.services import create_api_key, set_role
from tests.api.neighbours import QUERIES
from tests.leaks import showing, stores
from tests.plugin import Servers

TENANTS = 6  # as many as are looked at: those with the most rows of the most kinds
ROWS = 3  # of each kind
STARTED = ("signals_app_signal", "workflows_run", "deliveries_delivery", "workflows_event", "tenants_operatoraction")
#: what recipients get, and what is kept of people, is for keys that are made for it
TOLD_TO_PEOPLE = ("inbox:", "subjects:", "recipients:")
#: addresses that give a payload out on purpose, to whom may read runs or definitions
GIVEN_OUT = {
    "/v1/runs/{public_id}/export": "a run with all that it worked with, to be brought in elsewhere",
}


def leaks(servers: Servers) -> Iterator[str]:
    """Every place that shows a secret now."""
    tenants = fullest(servers)
    return showing([*stores(servers), *pages_of_admin(tenants), *answers_of_rest(tenants)])


def fullest(servers: Servers) -> list[Tenant]:
    """The tenants that have the most to show, of as many kinds as there are."""
    found: dict[int, None] = {}
    with servers.postgres.connect() as owner:
        for table in STARTED:
            rows = owner.execute(
                f"SELECT tenant_id FROM {table} GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 2"  # noqa: S608
            )
            found |= dict.fromkeys(tenant_id for (tenant_id,) in rows)
        ids = list(found)[:TENANTS]
        rows = owner.execute("SELECT id, slug FROM tenants_tenant WHERE id = ANY(%s) AND suspended_at IS NULL", [ids])
        return [Tenant(id=tenant_id, slug=slug) for tenant_id, slug in rows]


def pages_of_admin(tenants: list[Tenant]) -> Iterator[tuple[str, bytes]]:
    """Every list, and the newest rows of every kind, as a superuser sees them who is an admin of these tenants."""
    if not tenants:
        return
    user = get_user_model().objects.create(username=f"finder-{uuid.uuid4().hex}", is_staff=True, is_superuser=True)
    for tenant in tenants:
        set_role(tenant_id=tenant.pk, user_id=user.pk, role=Role.ADMIN)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    for address in dict.fromkeys(_addresses(tenants)):
        answer = client.get(address)
        yield f"page {address}", answer.getvalue() if answer.status_code == 200 else answer.content


def _addresses(tenants: list[Tenant]) -> Iterator[str]:
    yield reverse("admin:index")
    for model in admin.site._registry:
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        if issubclass(model, TenantRow):
            rows = [row for tenant in tenants for row in _newest(model, tenant)]
            for number, row in enumerate(rows[:ROWS]):
                yield from _pages_of(row, with_more=not number)


def _pages_of(row: TenantRow, *, with_more: bool) -> Iterator[str]:
    try:
        page = page_of(row)
    except NoReverseMatch:
        return
    yield page
    if with_more:
        yield from (page.replace("/change/", "/history/"), page.replace("/change/", "/edit/"))


def _newest(model: type[TenantRow], tenant: Tenant) -> list[Any]:
    with tenant_scope(tenant.pk):
        return list(model._default_manager.filter(tenant_id=tenant.pk).order_by("-pk")[:1])


def answers_of_rest(tenants: list[Tenant]) -> Iterator[tuple[str, bytes]]:
    """What every address that reads answers to a key that may read all that is not meant for people."""
    scopes = [one for one in Scope.values if one.endswith(":read") and not one.startswith(TOLD_TO_PEOPLE)]
    paths = [path for path, verbs in document()["paths"].items() if "get" in verbs and path not in GIVEN_OUT]
    for tenant in tenants:
        token = create_api_key(tenant_id=tenant.pk, name="finder", scopes=scopes).token
        client = Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})
        found: dict[str, Mapping[str, Any]] = {}
        for path in sorted(paths, key=lambda path: path.count("{")):
            address = _filled(path, found)
            if address is None:
                continue
            answer = client.get(address + QUERIES.get(f"get {path}", ""))
            yield f"answer {path}", answer.getvalue()
            _keep_first(path, answer, found)


def _filled(path: str, found: Mapping[str, Mapping[str, Any]]) -> str | None:
    """The address of something that is there; None when nothing is."""
    begins, _, rest = path.partition("/{")
    if not rest:
        return path
    first = found.get(begins)
    name, _, after = rest.partition("}")
    value = (first or {}).get({"public_id": "id"}.get(name, name))
    return None if value is None or "{" in after else f"{begins}/{value}{after}"


def _keep_first(path: str, answer: Any, found: dict[str, Mapping[str, Any]]) -> None:
    if answer.status_code == 200 and "json" in answer["Content-Type"]:
        items = json.loads(answer.content).get("items")
        if items and isinstance(items[0], dict):
            found[path] = items[0]
