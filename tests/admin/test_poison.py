"""What no person types, in every list and form of the admin: never a 5xx, and what is refused writes nothing.

The lists and forms are found in the registry, so that a new one is tried without an entry here.
"""

import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import cycle
from typing import Any
from urllib.parse import urljoin

import pytest
from axes.models import AccessAttempt
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from tenants.admin.paging import ref_of
from tenants.models import Role
from tenants.services import set_role
from tests.admin.conftest import Furnished, furnish
from tests.admin.test_sweep import LISTS, TENANTS_ADMINS, rows_of, told
from tests.api.test_tenancy_sweep import contents

LOGIN = "/admin/login/"
NO_TEXT = ["a%00b"]
"""What a query or a form must not hold, percent-encoded."""
ODD = ["9" * 12, "a" * 10_000, "-1", "[" * 3_000, "9" * 5_000]
"""What it may hold, if only to be refused."""
BAD_JSON = ["[" * 3_000, '{"a":"\\ud800"}', '{"a":"\\u0000","b":1e400}', "7"]
CHARSETS = ["utf-16", "utf-7", "unicode_escape", "hex", "cp037"]


@dataclass
class Form:
    """A form as a browser would send it: its fields with what they hold, and those that people write into."""

    url: str
    held: dict[str, Any] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    json: list[str] = field(default_factory=list)
    numbers: list[str] = field(default_factory=list)
    areas: list[str] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms of a page that are posted."""

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url, self.found, self._form, self._select, self._area = url, list[Form](), None, "", ""
        self.feed(text)

    _form: Form | None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name, form = given.get("name", ""), self._form
        if tag == "form":
            posted = given.get("method", "").lower() == "post"
            self._form = Form(urljoin(self.url, given.get("action") or self.url)) if posted else None
            self.found += [self._form] if self._form else []
        elif form and tag == "input" and name and given.get("type") not in ("file", "submit"):
            if given.get("type") not in ("checkbox", "radio") or "checked" in given:
                form.held[name] = given.get("value", "")
            form.numbers += [name] if given.get("type") == "number" else []
            form.written += [name] if name != "csrfmiddlewaretoken" else []
        elif form and tag == "textarea":
            self._area, form.held[name] = name, ""
            form.written.append(name)
            form.json += [name] if given.get("data-holds") == "json" else []
            form.areas.append(name)
        elif form and tag == "select":
            self._select = name
            form.written.append(name)
        elif form and tag == "option" and self._select and ("selected" in given or self._select not in form.held):
            form.held[self._select] = given.get("value", "")

    def handle_data(self, data: str) -> None:
        if self._form and self._area:
            self._form.held[self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""


@dataclass(frozen=True)
class Ground:
    """A tenant with a row of everything, its admin, and what the walk through the admin has found."""

    tenant: Furnished
    client: Client
    queries: set[tuple[str, str]]
    forms: list[Form]


@pytest.fixture(scope="module")
def ground(_open_database: None) -> Ground:
    """All of it, as a superuser who is an admin of the tenant sees it."""
    one = furnish("numbat")
    user = get_user_model().objects.create(username=f"op-{uuid.uuid4().hex[:12]}", is_staff=True, is_superuser=True)
    set_role(tenant_id=one.tenant.pk, user_id=user.pk, role=Role.ADMIN)
    client = Client(raise_request_exception=False)
    client.force_login(user)
    filters = {
        (LISTS[model], name)
        for model, served in TENANTS_ADMINS.items()
        for name in [*parameters(served), "q", "p", "pk__in"]
    }
    pages = {url: client.get(url) for url in addresses(one)}
    texts = {url: told(page) for url, page in pages.items() if "text/html" in page.headers["Content-Type"]}
    found: dict[Any, Form] = {}
    for url, text in texts.items():
        for form in Forms(url.partition("?")[0], text).found:
            if not form.url.endswith("/logout/"):
                found.setdefault((form.url, *sorted(form.held)), form)
    return Ground(one, client, filters, list(found.values()))


def addresses(one: Furnished) -> Iterator[str]:
    """Every page of every model: of the model, and of its newest row."""
    rows = {type(row): ref_of(row) for row in rows_of(one.tenant)}
    for model, served in TENANTS_ADMINS.items():
        for route in (str(pattern.pattern) for pattern in served.get_urls()):
            name, bound = re.subn("<(?:path|str|uuid):object_id>", rows.get(model, ""), route)
            if "<" not in name and name.endswith("/") | (not name) and (model in rows or not bound):
                yield LISTS[model] + name
    yield from (reverse("admin:password_change"), reverse("admin:second_factor"))


def parameters(served: Any) -> Iterator[str]:
    """The names by which a list is filtered."""
    for one in served.list_filter:
        if isinstance(one, type) and issubclass(one, admin.SimpleListFilter):
            yield str(one.parameter_name)
        elif isinstance(one, str):
            yield f"{one}__exact"


def test_every_filter_of_every_list_takes_anything(ground: Ground) -> None:
    field = "app_label=tenants&model_name=membership&field_name=user"
    asked = [f"{url}?{name}=" for url, name in sorted(ground.queries)]
    asked += [f"{reverse('admin:autocomplete')}?{field}&term=", f"{LOGIN}?next=", "/unsubscribe/x?"]

    statuses = {url: ground.client.get(f"{url}{odd}").status_code for url, odd in zip(asked, cycle(ODD), strict=False)}
    refused = {(url, odd): ground.client.get(f"{url}{odd}").status_code for url in asked for odd in NO_TEXT}

    assert len(asked) > 100
    assert {one: status for one, status in statuses.items() if status >= 500} == {}
    assert {one: status for one, status in refused.items() if status != 400} == {}


def test_every_form_refuses_what_is_no_text_or_no_json(ground: Ground) -> None:
    before = contents(ground.tenant.tenant)
    odd: dict[Any, int] = {}

    for form in ground.forms:
        for name in form.written[-1:]:
            odd[form.url, name, "NUL"] = ground.client.post(form.url, {**form.held, name: "a\0b"}).status_code
        for name in form.json:
            for text in BAD_JSON:
                answer = ground.client.post(form.url, {**form.held, name: text})
                odd[form.url, name, text[:20]] = 400 if answer.status_code == 200 else answer.status_code
    charset = {
        one: ground.client.generic("POST", LOGIN, b"a=b", f"application/x-www-form-urlencoded; charset={one}")
        for one in CHARSETS
    }

    assert len(ground.forms) > 40
    assert sum(len(form.json) for form in ground.forms) >= 15
    assert {one: status for one, status in odd.items() if status != 400} == {}
    assert {one: answer.status_code for one, answer in charset.items()} == dict.fromkeys(CHARSETS, 400)
    assert contents(ground.tenant.tenant) == before


def test_every_form_takes_anything_else_or_says_why_not(ground: Ground) -> None:
    broken: dict[Any, int] = {}
    values, asked = cycle(ODD), set[tuple[str, str]]()

    for form in ground.forms:
        for name in form.written:
            if (form.url, name) in asked:  # boxes to tick share a name, and the forms of a list what they select
                continue
            asked.add((form.url, name))
            odd = "9" * 12 if name in form.numbers else "[" * 3_000 if name in form.areas else next(values)
            status = ground.client.post(form.url, {**form.held, name: odd}).status_code
            if status >= 500:
                broken[form.url, name, odd[:20]] = status

    assert len(asked) > 250
    assert broken == {}


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ({"username": "a" * 256}, 200),
        ({"username": "ﷺ" * 100}, 200),  # as one writes it elsewhere it is 18 times as long
        ({"password": "b" * 10_000}, 200),
        ({"username": "a" * 256, "code": "c" * 10_000}, 200),
        ({"username": "a\0"}, 400),
        ({"password": "b\0"}, 400),
        ({"next": "/admin/\0"}, 400),
    ],
    ids=lambda one: str(one)[:16],
)
def test_signing_in_refuses_what_it_could_not_count(said: dict[str, str], status: int) -> None:
    client, before = Client(raise_request_exception=False), AccessAttempt.objects.count()

    answer = client.post(LOGIN, {"username": f"op-{uuid.uuid4().hex}", "password": "wrong", **said})

    assert (answer.status_code, AccessAttempt.objects.count()) == (status, before)


def test_long_headers_are_cut_before_they_are_counted() -> None:
    long = {"HTTP_USER_AGENT": "u" * 3_000, "HTTP_X_FORWARDED_FOR": "1" * 3_000, "HTTP_ACCEPT": "t" * 3_000}
    name = f"op-{uuid.uuid4().hex}"

    answer = Client(raise_request_exception=False).post(LOGIN, {"username": name, "password": "wrong"}, **long)

    assert answer.status_code == 200
    assert AccessAttempt.objects.get(username=name).failures_since_start == 1


@pytest.mark.parametrize("cookie", ['sessionid="aaaaaaaaaaaa\\000"', 'csrftoken="\\000"', 'messages="\\000"'])
def test_a_cookie_that_is_no_text_is_400(cookie: str) -> None:
    before = Session.objects.count()

    answer = Client(raise_request_exception=False).get("/admin/", headers={"Cookie": cookie})

    assert (answer.status_code, Session.objects.count()) == (400, before)
