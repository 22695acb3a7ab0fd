"""The pages of runs besides the list and the page of one: starts, bulk calls, forms, export, rebuild and import."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from tenants.admin.pages import Button, Page, PageAdmin
from tenants.admin.paging import page_of
from tenants.models import Role
from tenants.operator_scope import operator_of
from workflows.admin.bulk import bulk_page
from workflows.admin.run_forms import RUN_FORMS, filled, run_form_buttons, saved
from workflows.admin.run_history import bring_in, export_answer, import_form, rebuild_page, verify_page
from workflows.admin.run_starting import start_form, started
from workflows.models import Run

PROOFS = {"rebuild": rebuild_page, "verify": verify_page}


class RunPagesAdmin(PageAdmin):
    """Answers at addresses of its own, before the stock ones, whose last one catches everything."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        own: dict[str, Callable[..., HttpResponseBase]] = {name: partial(self.form_view, name) for name in RUN_FORMS}
        own |= {"export": self.export_view}
        own |= {name: partial(self.proof_view, page) for name, page in PROOFS.items()}
        return [
            path("bulk/", view(self.bulk_view), name="workflows_run_bulk"),
            path("start/", view(self.start_view), name="workflows_run_start"),
            path("import/", view(self.import_view), name="workflows_run_import"),
            *(path(f"<str:object_id>/{name}/", view(own[name]), name=f"workflows_run_{name}") for name in own),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may_import = operator_of(request).may(Role.ADMIN)
        more = {"may_act_on_many": self.has_act_permission(request), "may_import": may_import}
        return super().changelist_view(request, {**more, **(extra_context or {})})

    def history_buttons(self, request: HttpRequest, row: Run) -> list[Button]:
        """What the page of a run leads to: its forms, for operators, and its history."""
        forms = run_form_buttons(row) if operator_of(request).may(Role.OPERATOR, row.tenant_id) else []
        links = {"Export": "export", "Rebuild and compare": "rebuild", "Verify the trace": "verify"}
        page = page_of(row)
        return [*forms, *(Button(label, url=page.replace("/change/", f"/{to}/")) for label, to in links.items())]

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Looking at what meets a condition, and acting on all of it."""
        if not self.has_act_permission(request):
            return self._refused(request)
        title = "Act on all runs that meet a condition"
        return self._answer(request, "admin/look_first.html", title, bulk_page(request))

    def start_view(self, request: HttpRequest) -> HttpResponse:
        """Runs for some subjects, all or none."""
        if not self.has_act_permission(request):
            return self._refused(request)
        form = start_form(request)
        found = started(request, form) if request.method == "POST" and form.is_valid() else None
        if found is None:
            return self._answer(request, "admin/service_form.html", "Start runs", {"form": form, "verb": "Start"})
        fresh = sum(one.created for one in found)
        messages.success(request, f"{fresh} started, {len(found) - fresh} here already.")
        there = Run.objects.filter(tenant_id=form.cleaned_data["tenant"].pk, pk=found[0].run_id).first()
        one = there if len(found) == 1 else None
        return HttpResponseRedirect(page_of(one) if one else reverse("admin:workflows_run_changelist"))

    def form_view(self, name: str, request: HttpRequest, object_id: str) -> HttpResponse:
        """A form of one run: to change its times, or to add a note."""
        row, asked = self.found_or_404(request, object_id), RUN_FORMS[name]
        if not operator_of(request).may(Role.OPERATOR, row.tenant_id):
            return self._refused(request)
        form = filled(row, asked, request)
        done = saved(row, name, form, request) if request.method == "POST" and form.is_valid() else None
        more = {"form": form, "row": row, "row_url": page_of(row)}
        return done or self._answer(request, "admin/service_form.html", asked.label, more)

    def export_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """The run as a file."""
        return export_answer(self.found_or_404(request, object_id))

    def proof_view(self, proof: Callable[[Run], Page], request: HttpRequest, object_id: str) -> HttpResponse:
        """What its trace gives beside what is stored, or whether the trace is whole."""
        row = self.found_or_404(request, object_id)
        page = proof(row)
        page.buttons = [Button("Back to the run", url=page_of(row))]
        return self._answer(request, "admin/object_page.html", page.title, {"page": page, "row": row})

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """A file of exports, brought in whole or not at all."""
        if not operator_of(request).may(Role.ADMIN):
            return self._refused(request)
        form = import_form(request)
        imported = bring_in(request, form) if request.method == "POST" and form.is_valid() else None
        if imported is None:
            more = {"form": form, "verb": "Bring in"}
            return self._answer(request, "admin/service_form.html", "Bring in exported runs", more)
        fresh = sum(one.created for one in imported)
        messages.success(request, f"{fresh} brought in, {len(imported) - fresh} here already.")
        there = Run.objects.filter(tenant_id=form.cleaned_data["tenant"].pk, public_id=imported[0].public_id)
        one = there.get() if len(imported) == 1 else None
        return HttpResponseRedirect(page_of(one) if one else reverse("admin:workflows_run_changelist"))
