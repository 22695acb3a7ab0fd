"""Pages that write, through services: a form, the service's own faults beside the fields, and a secret shown once."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from chimeway_py.errors import ChimewayError
from chimeway_py.text import LONGEST_REASON
from tenants.admin.base import tenant_id_of
from tenants.admin.pages import Button, PageAdmin
from tenants.admin.paging import page_of, ref_of
from tenants.audit.facts import Facts, changes_since, facts_of
from tenants.models import Role, Tenant
from tenants.operator_scope import operator_of
from tenants.scope import tenant_scope
from tenants.services.operators import Act, record_acts

WIDE = forms.TextInput(attrs={"class": "vTextField"})


def ask_tenant(form: forms.Form, request: HttpRequest, role: Role) -> None:
    """Let the form ask first for one of the tenants in which the operator may act in this role."""
    operator = operator_of(request)
    mine = [id_ for id_ in operator.roles if operator.may(role, id_)]
    form.fields["tenant"] = forms.ModelChoiceField(
        Tenant.objects.filter(id__in=mine).order_by("slug"), empty_label=None
    )
    form.order_fields(["tenant", *form.fields])


class ServiceForm(forms.Form):
    """A form that a service answers for. Its fields are named like the places of the service's faults."""

    def add_faults(self, error: ChimewayError) -> None:
        """Show each fault beside the field that its path starts with, else on top."""
        faults = error.detail if isinstance(error.detail, list) else []
        for one in faults:
            name = str(one["path"]).lstrip("/").split("/")[0]
            self.add_error(name if name in self.fields else None, f"{one['path']}: {one['message']}")
        if not faults:
            self.add_error(None, error.message)


class RotationForm(ServiceForm):
    """How long the secrets of before still count."""

    overlap_hours = forms.IntegerField(
        min_value=0, max_value=720, initial=24, help_text="How long the secret of before still counts; 0 ends it now."
    )
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE)


class WritingAdmin(PageAdmin):
    """Rows that an operator with `write_role` may make and change. `write` does it."""

    write_role = Role.ADMIN
    form_class: type[ServiceForm] = ServiceForm
    change_class: type[ServiceForm] | None = None
    """The form of a row that is there, when it is another: what names a row is given once."""
    may_change = True
    rotates = False

    def form_of(self, row: Any) -> type[ServiceForm]:
        """The form of a row, or of a new one (None)."""
        return self.form_class if row is None else self.change_class or self.form_class

    def initial(self, row: Any) -> dict[str, Any]:
        """What the form of an existing row starts with."""
        return {}

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[Any, str]:
        """Create (row is None) or change it through a service; the row, and a secret to show once or "".

        Raises `ChimewayError`.
        """
        raise NotImplementedError

    def rotate(self, row: Any, overlap: timedelta) -> tuple[Any, str]:
        """Give the row a new secret; the row and the secret. Raises `ChimewayError`."""
        raise NotImplementedError

    # -- Addresses ----------------------------------------------------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        """Ours before the stock ones, whose last one catches everything."""
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        view = self.admin_site.admin_view
        ours = [
            path("<str:object_id>/edit/", view(self.edit_view), name=f"{name}_edit"),
            path("<str:object_id>/rotate/", view(self.rotate_view), name=f"{name}_rotate"),
        ]
        return [*ours, *super().get_urls()]

    def write_buttons(self, request: HttpRequest, row: Any) -> list[Button]:
        """Links to what the operator may change here."""
        if not self.has_change_permission(request, row):
            return []
        change = [Button("Change", url=f"{page_of(row).removesuffix('change/')}edit/")] if self.may_change else []
        rotate = [Button("Rotate the secret", url=f"{page_of(row).removesuffix('change/')}rotate/")]
        return [*change, *(rotate if self.rotates else [])]

    # -- Views --------------------------------------------------------------------------------------------------------
    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The form of a new row, with the tenant to choose if there are several."""
        if not self.has_add_permission(request):
            return self._refused(request)
        return self._form(request, None, f"New {self.opts.verbose_name}")

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The form of an existing row."""
        row = self.found_or_404(request, object_id)
        if not (self.may_change and self.has_change_permission(request, row)):
            return self._refused(request)
        return self._form(request, row, f"Change {row}")

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks for how long the old secret still counts, and shows the new one once."""
        row = self.found_or_404(request, object_id)
        if not (self.rotates and self.has_change_permission(request, row)):
            return self._refused(request)
        form = RotationForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said, before = form.cleaned_data, facts_of(row)
            try:
                fresh, secret = self.rotate(row, timedelta(hours=said["overlap_hours"]))
            except ChimewayError as error:
                form.add_faults(error)
            else:
                self._record(request, row, "rotate", before=before, reason=said["reason"])
                return self._show_secret(request, fresh, secret)
        return self._ask(request, form, f"Rotate the secret of {row}", row, verb="Rotate")

    def _form(self, request: HttpRequest, row: Any, title: str) -> HttpResponse:
        initial = self.initial(row) if row is not None else None
        form = self.form_of(row)(request.POST or None, request.FILES or None, initial=initial)
        if row is None and self.model is not Tenant:
            ask_tenant(form, request, self.write_role)
        saved = self._save(request, form, row) if request.method == "POST" and form.is_valid() else None
        return saved or self._ask(request, form, title, row)

    def _save(self, request: HttpRequest, form: ServiceForm, row: Any) -> HttpResponse | None:
        """The answer after it is written; None when the service found faults, which the form then shows."""
        said, before = form.cleaned_data, facts_of(row)
        tenant_id = row.tenant_id if row is not None else getattr(said.get("tenant"), "pk", 0)
        try:
            written, secret = self.write(request, tenant_id, said, row)
        except ChimewayError as error:
            form.add_faults(error)
            return None
        self._record(request, written, "create" if row is None else "change", before=before)
        if secret:
            return self._show_secret(request, written, secret)
        self.message_user(request, f"Saved {written}.", messages.SUCCESS)
        return HttpResponseRedirect(self.after_write(written))

    def after_write(self, row: Any) -> str:
        """Where a written row is shown."""
        return page_of(row)

    def _record(self, request: HttpRequest, row: Any, action: str, *, before: Facts, reason: str = "") -> None:
        operator, tenant_id = operator_of(request), tenant_id_of(row)
        with tenant_scope(
            tenant_id
        ):  # of a new tenant, too, which comes into the operator's sight with the next request
            act = Act(str(self.opts.model_name), ref_of(row), changes=changes_since(before, row))
            record_acts(tenant_id=tenant_id, operator=operator, action=action, reason=reason, acts=[act])

    # -- Answers: Django marks every page of the admin as not to be cached --------------------------------------------
    def _ask(
        self, request: HttpRequest, form: forms.Form, title: str, row: Any, verb: str = "Save"
    ) -> TemplateResponse:
        more = {"form": form, "row": row, "row_url": row and page_of(row), "verb": verb}
        return self._answer(request, "admin/service_form.html", title, more)

    def _show_secret(self, request: HttpRequest, row: Any, secret: str) -> TemplateResponse:
        more = {"secret": secret, "row_url": page_of(row)}
        return self._answer(request, "admin/secret_once.html", f"The secret of {row}", more)
