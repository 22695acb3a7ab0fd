"""The admin site: its name, and a home that shows what is wrong first.

The site knows nothing of the apps. Each registers the numbers it watches; every one of them should be zero.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.generic import View

COUNTED_AT_MOST = 1000  # per concern: beyond that a person needs to know "very many", and the page stays fast

APPS_FIRST = ["workflows", "signals_app", "deliveries", "tenants"]


@dataclass(frozen=True, slots=True)
class Concern:
    """A number that should be zero: how many rows of the visible tenants are in a bad way.

    `tenants` returns the tenant's slug of each such row, at most `COUNTED_AT_MOST + 1` of them; `oldest` the age of the
    worst in words, or "". `url_name` and `query` are the list that shows those rows; it filters by `tenant=<slug>` too.
    """

    label: str
    hint: str
    url_name: str
    query: str
    tenants: Callable[[], Iterable[str]]
    oldest: Callable[[], str] | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """A number with the list behind it."""

    count: int
    url: str

    @property
    def text(self) -> str:
        """The number as it is shown."""
        return f"{COUNTED_AT_MOST}+" if self.count > COUNTED_AT_MOST else str(self.count)


@dataclass(frozen=True, slots=True)
class Reading:
    """A concern as it stands now."""

    concern: Concern
    by_tenant: Counter[str]
    oldest: str

    @property
    def total(self) -> Cell:
        """Over all visible tenants."""
        return Cell(self.by_tenant.total(), f"{reverse(self.concern.url_name)}?{self.concern.query}")

    def of(self, tenant: str) -> Cell:
        """Of one tenant."""
        return Cell(self.by_tenant[tenant], f"{self.total.url}&{urlencode({'tenant': tenant})}")


_concerns: dict[str, Concern] = {}
_glances: list[Callable[[], Any]] = []


def register_concern(concern: Concern) -> None:
    """Show this number on the home page. Registering a label again replaces it."""
    _concerns[concern.label] = concern


def register_glance(glance: Callable[[], Any]) -> None:
    """Show a table on the home page while it has rows: something with `title`, `headings`, `rows` and `empty`."""
    if glance not in _glances:
        _glances.append(glance)


def readings() -> list[Reading]:
    """Every concern as it stands for the tenants in scope."""
    return [
        Reading(concern, Counter(concern.tenants()), concern.oldest() if concern.oldest else "")
        for concern in _concerns.values()
    ]


class ChimewayAdminSite(admin.AdminSite):
    """Stock Django admin with our templates."""

    site_title = "chimeway"
    site_header = "chimeway"
    index_title = "What needs attention"
    index_template = "admin/home.html"
    site_url = None
    enable_nav_sidebar = False
    empty_value_display = "–"
    password_change_view: type[View] | None = None  # Django's own page, where no app keeps a record of it

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self.disable_action("delete_selected")  # rows are ended by services, never deleted from a list

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The apps, those that operators use all day first."""
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: APPS_FIRST.index(app["app_label"]) if app["app_label"] in APPS_FIRST else 9)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """The page on which operators change their own password."""
        if self.password_change_view is None:
            return super().password_change(request, extra_context)
        context = {**self.each_context(request), **(extra_context or {})}
        return self.password_change_view.as_view(extra_context=context)(request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The home page: what is wrong, all in all and by tenant."""
        found = readings()
        unwell = sorted({tenant for reading in found for tenant in reading.by_tenant})
        shown = {
            "readings": found,
            "wrong": sum(1 for reading in found if reading.by_tenant),
            "wrong_by_tenant": [(tenant, [reading.of(tenant) for reading in found]) for tenant in unwell],
            "glances": [table for glance in _glances if (table := glance()).rows],
        }
        return super().index(request, {**shown, **(extra_context or {})})
