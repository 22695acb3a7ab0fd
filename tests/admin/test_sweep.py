"""The whole admin, walked: nothing of another tenant on any page, in any filter, search, action or export; and no page
with anything that the content policy would have to make an exception for.

A model at the admin, or a command, without an entry here fails.
"""

import re
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any
from unittest import mock

import pytest
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.db.models import ForeignKey
from django.test import Client
from django.urls import URLResolver, include, path, re_path, reverse

from chimeway_py.content_policy import POLICY
from tenants.admin.base import TenantAdmin
from tenants.admin.paging import page_of, ref_of
from tenants.models import OperatorAction, Role, Tenant
from tenants.scope import tenant_scope
from tenants.services import set_role
from tests.admin.conftest import Furnished, furnish
from tests.admin.crawl import Page, crawl
from tests.api.test_tenancy_sweep import contents
from tests.commands.neighbours import FROM_A_FILE, NAME_NOTHING, OWN, SAME, names_of, nobodys
from tests.commands.walking import verbs
from tests.named_tests import unknown_tests

GLOBAL = {User}  # accounts belong to no tenant; only superusers see them
TENANTS_ADMINS = {model: served for model, served in admin.site._registry.items() if isinstance(served, TenantAdmin)}
BY_DEEDS = {"operatoraction", "subjecterasure", "steprun"}  # made below, by doing something


OBJECT = re.compile(r"<(?:path|str|uuid|int):object_id>")
NAMED = re.compile(r"<[^>]+>")  # also of a regular expression
RECORD = {OperatorAction._meta.db_table}  # that a call was made, in the record of who made it
ACCOUNTS = ("accounts belong to no tenant", "tests/admin/test_accounts.py::test_only_superusers_see_accounts")
#: Addresses that name something else than one object of a tenant: why they show none, and the test that holds it.
ELSEWHERE = {
    "r/<path:content_type_id>/<path:object_id>/": (
        "no object has a page outside the admin; asked for with the others",
        "tests/admin/test_sweep.py::test_another_tenants_rows_cannot_be_asked_for",
    ),
    "auth/user/<id>/password/": ACCOUNTS,
    **{f"auth/user/<path:object_id>/{page}": ACCOUNTS for page in ("history/", "delete/", "change/", "")},
    f"^(?P<app_label>{'|'.join(dict.fromkeys(model._meta.app_label for model in admin.site._registry))})/$": (
        "the lists of an app, by their names",
        "tests/admin/test_sweep.py::test_no_page_shows_anything_of_another_tenant",
    ),
    "(?P<url>.*)$": (
        "every other address is missing",
        "tests/admin/test_sweep.py::test_no_page_needs_an_exception_of_the_content_policy",
    ),
}


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
        for route in routes_of(type(row)):
            place = f"/admin/{OBJECT.sub(str(quote(row.pk)), route)}"
            assert browser.get(place, follow=True).status_code in (403, 404), (row, route)
            assert browser.post(place, {"reason": "mischief"}, follow=True).status_code in (403, 404), (row, route)
        on_site = reverse("admin:view_on_site", args=[ContentType.objects.get_for_model(row).pk, row.pk])
        assert browser.get(on_site).status_code == 404, row
        for action in actions_of(type(row)):
            posted = {"action": action, "_selected_action": [row.pk], "confirmed": "1", "reason": "mischief"}
            posted |= {"from_page": "1"}
            assert theirs.mark not in told(browser.post(LISTS[type(row)], posted)), (row, action)

    assert contents(theirs.tenant) == before
    assert len(rows) > 25


def addresses(patterns: Sequence[Any], before: str = "") -> Iterator[str]:
    """The route of every address under some patterns."""
    for one in patterns:
        route = before + str(one.pattern)
        if isinstance(one, URLResolver):
            yield from addresses(one.url_patterns, route)
        else:
            yield route


def routes_of(model: Any) -> list[str]:
    """The addresses of an object's pages: those that name it, and nothing else."""
    place = f"{model._meta.app_label}/{model._meta.model_name}/"
    found = [one for one in addresses(TENANTS_ADMINS[model].get_urls(), place) if OBJECT.search(one)]
    assert {f"{place}<path:object_id>/{page}/" for page in ("change", "history", "delete")} <= set(found)
    return [one for one in found if not NAMED.search(OBJECT.sub("", one))]


def unswept(patterns: Sequence[Any]) -> set[str]:
    """The addresses that name something and that no test of this module asks for."""
    swept = {route for model in TENANTS_ADMINS for route in routes_of(model)}
    return {route for route in addresses(patterns) if NAMED.search(route)} - swept


def test_every_address_of_the_admin_is_swept() -> None:
    assert unswept(admin.site.get_urls()) == ELSEWHERE.keys(), "ask for it here, or say why it names nothing"
    assert unknown_tests(test for _, test in ELSEWHERE.values()) == set()


@pytest.mark.parametrize(
    "leak", ["run/peek/<uuid:which>/", "<str:object_id>/of/<int:number>/", "<int:run>/", r"^of/(?P<which>\d+)/$"]
)
def test_an_address_that_nobody_sweeps_is_found(leak: str) -> None:
    made = re_path if leak.startswith("^") else path
    patterns = [*admin.site.get_urls(), path("workflows/run/", include([made(leak, Client)]))]

    assert unswept(patterns) - ELSEWHERE.keys() == {f"workflows/run/{leak}"}


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


def test_every_verb_of_every_command_has_an_entry() -> None:
    named = SAME.keys() | OWN.keys()

    assert verbs().keys() == named | NAME_NOTHING.keys() | FROM_A_FILE.keys()
    assert named & (NAME_NOTHING.keys() | FROM_A_FILE.keys()) == set()
    assert unknown_tests(FROM_A_FILE.values()) == set()


def call(tenant: Tenant, command: str, words: Sequence[str]) -> str:
    """What a command says, and how it ends; without what it was asked for."""
    out, typed = StringIO(), TextIOWrapper(BytesIO(b"a@example.com\n"))
    with mock.patch.object(sys, "stdin", typed):
        try:
            call_command(command, *words, "--tenant", tenant.slug, stdout=out, stderr=out)
        except (CommandError, SystemExit) as error:
            out.write(f" ended with {type(error).__name__}: {error}")
    told = out.getvalue()
    asked = {part for word in words for part in (word, word.rpartition("=")[2])}
    for word in sorted(asked, key=len, reverse=True):
        told = told.replace(word, "…")
    return told


def test_a_command_for_one_tenant_does_nothing_to_another(both: tuple[Furnished, Furnished]) -> None:
    """It answers as for a name of nothing, and nothing is written here or there."""
    mine, theirs = both
    foreign, nothing = names_of(theirs, own=mine.mark), nobodys(own=mine.mark)
    call(mine.tenant, "events", ["enable", f"{mine.mark}_crm"])  # or it is refused before the event is looked for
    before, own = contents(theirs.tenant), contents(mine.tenant)

    for (command, verb), calls in SAME.items():
        for words, never in zip(calls(foreign), calls(nothing), strict=True):
            told = call(mine.tenant, command, words)
            assert told == call(mine.tenant, command, never), (command, words)
            assert theirs.mark not in told, (command, verb, words, told)
            wrong = [word for word in ("required", "invalid choice", "unrecognized") if word in told]
            assert wrong == [], (command, words, told)
    assert contents(theirs.tenant) == before
    after = contents(mine.tenant)
    assert {table for table in own if own[table] != after[table]} <= RECORD


def test_a_name_that_every_tenant_gives_for_itself_reaches_no_other(both: tuple[Furnished, Furnished]) -> None:
    mine, theirs = both
    before = contents(theirs.tenant)

    for (command, verb), calls in OWN.items():
        for words in calls(names_of(theirs, own=mine.mark)):
            told = call(mine.tenant, command, words)
            assert "ended with" not in told, (command, words, told)
            assert theirs.mark not in told, (command, verb, told)
    assert contents(theirs.tenant) == before


def test_its_owner_is_answered_otherwise(both: tuple[Furnished, Furnished]) -> None:
    """Or the sameness of the sweep would prove nothing."""
    _, theirs = both
    own, nothing = names_of(theirs, own=theirs.mark), nobodys(own=theirs.mark)

    unseen = [
        (command, *words)
        for (command, _), calls in SAME.items()
        for words, never in zip(calls(own), calls(nothing), strict=True)
        if words != never and call(theirs.tenant, command, words) == call(theirs.tenant, command, never)
    ]
    assert not unseen, "\n".join(map(str, unseen))
