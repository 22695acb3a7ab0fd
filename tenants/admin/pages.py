"""Object pages: facts, tables and buttons, to read. What may be changed is changed on a page of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from tenants.admin.base import TenantAdmin
from tenants.models import Role
from tenants.operator_scope import operator_of


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its title. Cells are text (escaped) or safe HTML. `empty` is said when there are no rows."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    empty: str = "None."
    id: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """Either a link (`url`), or an action of the list asked for on this one row (`action`)."""

    label: str
    url: str = ""
    action: str = ""
    why_not: str = ""


@dataclass(slots=True)
class Page:
    """What an object page shows, from top to bottom. `texts` are titled blocks of preformatted text."""

    title: str
    lead: str = ""
    tone: str = ""
    facts: Sequence[tuple[str, Any]] = ()
    buttons: list[Button] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    texts: Sequence[tuple[str, str]] = ()
    more: dict[str, Any] = field(default_factory=dict)
    refresh: bool = False  # something on it is about to change: the browser asks again every other second


Extension = Callable[[HttpRequest, Any, Page], None]
_extensions: dict[str, list[Extension]] = {}


def extend_page(label: str, extension: Extension) -> None:
    """Let an app above add to the pages of a model (`signals_app.Signal`): the apps below do not know of it."""
    _extensions.setdefault(label, []).append(extension)


class PageAdmin(TenantAdmin):
    """Rows whose page is a `Page`."""

    page_template = "admin/object_page.html"

    def page(self, request: HttpRequest, row: Any) -> Page:
        """What the page of this row shows."""
        raise NotImplementedError

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The page. It only reads, so it answers only GET."""
        row = self.found_or_404(request, object_id)
        page = self.page(request, row)
        for extension in _extensions.get(self.opts.label, ()):
            extension(request, row, page)
        context = {
            **self.admin_site.each_context(request),
            "title": page.title,
            "opts": self.opts,
            "page": page,
            "row": row,
            "selected": ACTION_CHECKBOX_NAME,
            "may_act": operator_of(request).may(Role.OPERATOR, row.tenant_id if hasattr(row, "tenant_id") else row.pk),
            "show_tenant": len(operator_of(request).roles) > 1,
            **page.more,
            **(extra_context or {}),
        }
        return TemplateResponse(request, self.page_template, context)

    # -- Pages besides: Django marks every page of the admin as not to be cached ---------------------------------------
    def _refused(self, request: HttpRequest) -> TemplateResponse:
        return self._answer(request, "admin/refused.html", "Your role does not allow this", {}, status=403)

    def _answer(
        self, request: HttpRequest, template: str, title: str, more: dict[str, Any], status: int = 200
    ) -> TemplateResponse:
        context = {**self.admin_site.each_context(request), "title": title, "opts": self.opts, **more}
        return TemplateResponse(request, template, context, status=status)
