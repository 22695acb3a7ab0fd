"""The whole admin, walked: nothing of another tenant on any page, in any filter, search, action or export; and no page
with anything that the content policy would have to make an exception for.

A model at the admin, or a command, without an entry here fails.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command, get_commands
from django.db.models import ForeignKey
from django.test import Client
from django.urls import reverse

from chimeway_py.content_policy import POLICY
from deliveries.models import Broadcast
from tenants.admin.base import TenantAdmin
from tenants.admin.paging import page_of, ref_of
from tenants.models import Role, Tenant
from tenants.scope import tenant_scope
from tenants.services import set_role
from tests.admin.conftest import Furnished, furnish
from tests.admin.crawl import Page, crawl
from tests.api.test_tenancy_sweep import contents

GLOBAL = {User}  # accounts belong to no tenant; only superusers see them
TENANTS_ADMINS = {model: served for model, served in admin.site._registry.items() if isinstance(served, TenantAdmin)}
BY_DEEDS = {"operatoraction", "subjecterasure", "steprun"}  # made below, by doing something
OURS = ("tenants", "signals_app", "workflows", "deliveries")


@pytest.fixture(scope="module")
def both(_open_database: None) -> tuple[Furnished, Furnished]:
    """Two tenants with a row of everything."""
    return furnish("kiwi"), furnish("quokka")


@pytest.fixture(scope="module")
def browser(both: tuple[Furnished, Furnished]) -> Client:
    """An admin of the first tenant alone, who has done something there; somebody did the same in the other."""
    clients = []
    for one in both:
        user = get_user_model().objects.create(username=f"op-{uuid.uuid4().hex[:12]}", is_staff=True)
        set_role(tenant_id=one.tenant.pk, user_id=user.pk, role=Role.ADMIN)
        client = Client()
        client.force_login(user)
        said = {"tenant": one.tenant.pk, "key": f"{one.mark}_new", "channel": "in_app", "text": f"Hi {one.mark}"}
        assert client.post(reverse("admin:deliveries_template_add"), said).status_code == 302
        clients.append(client)
    return clients[0]


@pytest.fixture(scope="module")
def pages(browser: Client, both: tuple[Furnished, Furnished]) -> Mapping[str, Any]:
    """Every page that the operator can come to."""
    mine, _ = both
    starts = [reverse("admin:index"), *(page_of(row) for row in rows_of(mine.tenant)), *LISTS.values()]
    return crawl(browser, *starts)


def rows_of(tenant: Tenant) -> Iterator[Any]:
    """The newest row of every model at the admin."""
    with tenant_scope(tenant.pk):
        for model in TENANTS_ADMINS:
            name = "pk" if model is Tenant else "tenant_id"
            row = model._default_manager.filter(**{name: tenant.pk}).order_by("-pk").first()
            if row is not None:
                yield row


def told(answer: Any) -> str:
    """The text of an answer, in one piece or in parts."""
    return str(answer.getvalue().decode(errors="replace"))


LISTS = {
    model: reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") for model in TENANTS_ADMINS
}


def test_every_model_at_the_admin_is_swept(both: tuple[Furnished, Furnished], browser: Client) -> None:
    assert set(admin.site._registry) - set(TENANTS_ADMINS) == GLOBAL
    swept = {type(row) for row in rows_of(both[1].tenant)}
    lacking = {model._meta.model_name for model in set(TENANTS_ADMINS) - swept}
    assert lacking <= BY_DEEDS - {"operatoraction"}, "furnish a row of it in tests/admin/conftest.py"


def test_no_page_shows_anything_of_another_tenant(pages: Mapping[str, Any], both: tuple[Furnished, Furnished]) -> None:
    _, theirs = both
    refs = {ref_of(row) for row in rows_of(theirs.tenant) if ref_of(row) != str(row.pk)} | {theirs.mark}

    assert len(pages) > 100, "the walk has come to an end too early"
    found = {url: ref for url, answer in pages.items() for ref in refs if ref in told(answer)}
    assert found == {}


def test_no_page_needs_an_exception_of_the_content_policy(pages: Mapping[str, Any], browser: Client) -> None:
    more = [reverse("admin:password_change"), reverse("admin:second_factor"), "/admin/nowhere/", "/unsubscribe/x"]
    more += ["/static/deliveries/chimeway-inbox.js", "/static/chimeway/admin.css", "/v1/openapi.json", "/healthz"]
    answers = {**pages, **{url: browser.get(url) for url in more}, "/login": Client().get(reverse("admin:login"))}

    assert POLICY.startswith("default-src 'self';")
    assert "unsafe" not in POLICY
    assert {url for url, answer in answers.items() if answer.headers.get("Content-Security-Policy") != POLICY} == set()
    walked = [
        Page(url, told(answer)) for url, answer in answers.items() if "text/html" in answer.headers["Content-Type"]
    ]
    assert {(page.url, one) for page in walked for one in page.inline} == set()
    foreign = {(page.url, one) for page in walked for one in page.loads if one.startswith(("http:", "https:", "//"))}
    assert foreign == set()


def test_a_page_that_would_need_one_is_found() -> None:
    bad = '<p style="x"><script>1</script><a onclick="x" href="javascript:1">y</a><img src="data:,"><style></style>'

    found = Page("/", bad).inline

    assert found == [
        "p style",
        "<script>",
        "a onclick",
        "a href=javascript:1",
        "img src=data:,",
        "<style>",
    ]


def test_another_tenants_rows_cannot_be_asked_for(browser: Client, both: tuple[Furnished, Furnished]) -> None:
    """By address, filter, search, popup or selection, however they are written."""
    _, theirs = both
    before, rows = contents(theirs.tenant), list(rows_of(theirs.tenant))

    for row in rows:
        for query in queries(row, theirs):
            page = told(browser.get(LISTS[type(row)], query))
            for word in filter(None, (query.get("q"), query.get("tenant"))):
                page = page.replace(str(word), "")
            assert theirs.mark not in page, (row, query)
            assert ref_of(row) == str(row.pk) or ref_of(row) not in page, (row, query)
        place = page_of(row).removesuffix("change/")
        for view in views_of(type(row)):
            assert browser.get(f"{place}{view}/").status_code in (403, 404), (row, view)
            assert browser.post(f"{place}{view}/", {"reason": "mischief"}).status_code in (403, 404), (row, view)
        for action in actions_of(type(row)):
            posted = {"action": action, "_selected_action": [row.pk], "confirmed": "1", "reason": "mischief"}
            posted |= {"from_page": "1"}
            assert theirs.mark not in told(browser.post(LISTS[type(row)], posted)), (row, action)

    assert contents(theirs.tenant) == before
    assert len(rows) > 25


def views_of(model: Any) -> list[str]:
    """The names in the addresses of an object's pages, all that its ModelAdmin has."""
    routes = [str(one.pattern) for one in TENANTS_ADMINS[model].get_urls()]
    found = re.findall(r"<(?:path|str|uuid):object_id>/([a-z-]+)/", " ".join(routes))
    assert {"change", "history", "delete"} <= set(found)
    return found


def queries(row: Any, theirs: Furnished) -> list[Mapping[str, Any]]:
    """Ways to ask a list for a row of another tenant."""
    own = "id" if isinstance(row, Tenant) else "tenant__id"
    return [
        {"tenant": theirs.tenant.slug},
        {f"{own}__exact": theirs.tenant.pk},
        {"q": ref_of(row)},
        {"_popup": 1, "_to_field": "id", "pk__in": row.pk, "q": theirs.mark},
    ]


def actions_of(model: Any) -> list[str]:
    """The names of the actions that a list offers."""
    return [getattr(one, "name", None) or str(one) for one in TENANTS_ADMINS[model].actions or ()]


def test_completion_offers_nothing_of_another_tenant(browser: Client, both: tuple[Furnished, Furnished]) -> None:
    _, theirs = both
    fields = [
        (model._meta, one.name)
        for model in TENANTS_ADMINS
        for one in model._meta.concrete_fields
        if isinstance(one, ForeignKey)
    ]
    assert fields

    for meta, name in fields:
        for term in ("", theirs.mark, theirs.tenant.slug):
            asked = {"app_label": meta.app_label, "model_name": meta.model_name, "field_name": name, "term": term}
            answer = browser.get(reverse("admin:autocomplete"), asked)
            assert answer.status_code in (200, 403, 404)
            assert theirs.mark not in told(answer), asked


def test_every_list_of_the_home_page_is_of_ones_own(browser: Client, both: tuple[Furnished, Furnished]) -> None:
    assert both[1].tenant.slug not in told(browser.get(reverse("admin:index")))


def cast_of(one: Furnished) -> str:
    """The id of its broadcast."""
    return str(next(row.public_id for row in one.people if isinstance(row, Broadcast)))


#: Per command of ours: calls for the first tenant that name what the other has.
COMMANDS: Mapping[str, Callable[[Furnished], Sequence[Sequence[str]]]] = {
    "api_key": lambda one: [["rotate", str(one.key.public_id)], ["revoke", str(one.key.public_id)]],
    "broadcast": lambda one: [
        ["show", cast_of(one)],
        ["preview", cast_of(one)],
        ["report", cast_of(one)],
        ["start", cast_of(one), "--token", "mischief"],
        ["cancel", cast_of(one), "--runs", "--reason", "mischief"],
        ["create", f"{one.mark}_flow", "--segment", f"{one.mark}_all"],
    ],
    "definitions": lambda one: [["switch", f"{one.mark}_flow", "all_off", "--reason", "mischief"]],
    "digests": lambda one: [
        ["show", str(one.digest.public_id)],
        ["flush", str(one.digest.public_id), "--reason", "mischief"],
    ],
    "events": lambda one: [
        ["show", str(one.event.public_id)],
        ["disable", f"{one.mark}_crm"],
        ["rotate", f"{one.mark}_crm"],
        ["unsubscribe", f"{one.mark}_crm"],
    ],
    "explain": lambda one: [[str(one.run.public_id)], [str(one.signal.public_id), "--signal"]],
    "external": lambda one: [["show", f"{one.mark}_transfer", f"{one.mark}_1"]],
    "providers": lambda one: [["delete", f"{one.mark}_team"]],
    "rebuild": lambda one: [["--run", str(one.run.public_id), "--write"]],
    "recipients": lambda one: [["show", f"{one.mark}_anna"], ["history", f"{one.mark}_anna"]],
    "retention": lambda one: [["release", str(one.hold.public_id)], ["tombstone", str(one.tombstone.run_public_id)]],
    "runs": lambda one: [
        ["cancel", str(one.run.public_id), "--reason", "mischief"],
        ["replay", str(one.run.public_id), "--reason", "mischief"],
        ["note", str(one.run.public_id), "mischief"],
        ["export", str(one.run.public_id)],
    ],
    "schedules": lambda one: [["disable", f"{one.mark}_daily"], ["delete", f"{one.mark}_daily"]],
    "segments": lambda one: [["count", f"{one.mark}_all"], ["delete", f"{one.mark}_all"]],
    "steps": lambda one: [["settle", f"{one.run.public_id}/tell/1", "delivered", "--reason", "mischief"]],
    "subjects": lambda one: [["export", f"{one.mark}_anna"], ["erase", f"{one.mark}_anna"]],
    "templates": lambda one: [["preview", f"{one.mark}_note", "--channel", "in_app"]],
    "trace": lambda one: [[str(one.run.public_id)]],
    "verify_trace": lambda one: [["--run", str(one.run.public_id)]],
}
#: They take no tenant, or name nothing that a tenant has: whoever has a shell and the keys runs them for everybody.
NAME_NOTHING = {
    "audit",
    "heads",
    "keys",
    "limits",
    "migrate",
    "operator",
    "payloads",
    "sending_rules",
    "sweeper",
    "tenant",
}


def test_every_command_has_an_entry() -> None:
    ours = {name for name, app in get_commands().items() if str(app) in ("chimeway_py", *OURS)}

    assert ours == COMMANDS.keys() | NAME_NOTHING


def test_a_command_for_one_tenant_does_nothing_to_another(both: tuple[Furnished, Furnished]) -> None:
    mine, theirs = both
    before = contents(theirs.tenant)

    for command, calls in COMMANDS.items():
        for words in calls(theirs):
            out = StringIO()
            try:
                call_command(command, *words, "--tenant", mine.tenant.slug, stdout=out, stderr=out)
            except (CommandError, SystemExit) as error:
                out.write(str(error))
            told = out.getvalue()
            for word in words:
                told = told.replace(word, "")
            assert theirs.mark not in told, (command, words, told)
            assert "required" not in told, (command, words, told)
            assert "invalid choice" not in told, (command, words, told)
            assert "unrecognized" not in told, (command, words, told)
    assert contents(theirs.tenant) == before
