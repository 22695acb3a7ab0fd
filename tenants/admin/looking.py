"""Pages of a row that look first: what would be done is shown, and done once it is asked for with a reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from chimeway_py.errors import ChimewayError
from chimeway_py.text import LONGEST_REASON
from tenants.admin.pages import Button, Section
from tenants.admin.paging import page_of, ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.audit.facts import Changes
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, check_reason, record_acts


class GoForm(ServiceForm):
    """The approval of what was looked at. What it was is kept in hidden fields."""

    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE, label="Why?")


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look saw, or a batch did. `rest` fills the next approval; None: nothing is left to do."""

    lead: str
    sections: Sequence[Section] = ()
    rest: Mapping[str, Any] | None = None


class LookFirst:
    """One such page. Its forms ask in the words of the service, whose faults are shown beside them."""

    name: ClassVar[str]
    label: ClassVar[str]
    role: ClassVar[Role] = Role.ADMIN
    look_form: type[ServiceForm]
    go_form: type[GoForm]

    def look(self, row: Any, said: Mapping[str, Any]) -> Looked:
        """What would be done. Raises `ChimewayError`."""
        raise NotImplementedError

    def go(self, request: HttpRequest, row: Any, said: Mapping[str, Any]) -> tuple[Looked, Changes]:
        """Do it, or a part of it; what came of it, and what the record says of it. Raises `ChimewayError`."""
        raise NotImplementedError

    def button(self, row: Any, why_not: str = "") -> Button:
        """The link on the page of the row."""
        return Button(self.label, url=page_of(row).replace("/change/", f"/{self.name}/"), why_not=why_not)


class LookingAdmin(WritingAdmin):
    """Rows with pages that look first."""

    looks: Sequence[LookFirst] = ()

    def get_urls(self) -> list[URLPattern]:
        """Ours before those that catch everything."""
        name, view = f"{self.opts.app_label}_{self.opts.model_name}", self.admin_site.admin_view
        ours = [
            path(f"<str:object_id>/{one.name}/", view(partial(self.look_view, one)), name=f"{name}_{one.name}")
            for one in self.looks
        ]
        return [*ours, *super().get_urls()]

    def look_view(self, page: LookFirst, request: HttpRequest, object_id: str) -> HttpResponse:
        """The question; what would be done; what was."""
        row = self.found_or_404(request, object_id)
        if not operator_of(request).may(page.role, row.tenant_id):
            return self._refused(request)
        more = self._gone(page, request, row) if "reason" in request.POST else _looked(page, request, row)
        return self._answer(request, "admin/look_first.html", f"{page.label}: {row}", {**more, "row_url": page_of(row)})

    def _gone(self, page: LookFirst, request: HttpRequest, row: Any) -> dict[str, Any]:
        form = page.go_form(request.POST)
        if not form.is_valid():
            messages.error(request, "Say why. Nothing was done.")
            return {"go": form, "verb": page.label}
        try:
            reason = check_reason(form.cleaned_data["reason"])
            done, changes = page.go(request, row, form.cleaned_data)
        except ChimewayError as error:
            messages.error(request, error.message)
            return {"go": form, "verb": page.label}
        act = Act(str(self.opts.verbose_name), ref_of(row), changes=changes)
        record_acts(tenant_id=row.tenant_id, operator=operator_of(request), action=page.name, reason=reason, acts=[act])
        return _shown(page, done, "Go on", reason)


def _looked(page: LookFirst, request: HttpRequest, row: Any) -> dict[str, Any]:
    form = page.look_form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            return {"form": form, **_shown(page, page.look(row, form.cleaned_data), page.label)}
        except ChimewayError as error:
            form.add_faults(error)
    return {"form": form}


def _shown(page: LookFirst, looked: Looked, verb: str, reason: str = "") -> dict[str, Any]:
    shown: dict[str, Any] = {"lead": looked.lead, "sections": looked.sections}
    if looked.rest is None:
        return shown
    return {**shown, "verb": verb, "go": page.go_form(initial={**looked.rest, "reason": reason})}
