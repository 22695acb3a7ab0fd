"""What the admin of every tenant's row has in common: who may see it, how it is found, and that nothing leaks."""

from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import BadRequest, FieldDoesNotExist, ValidationError
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from tenants.admin.paging import CappedPaginator, PublicIdChangeList, ref_of
from tenants.models import OperatorAction, Role
from tenants.operator_scope import operator_of


class TenantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not subscriptable when it runs
    """Rows of the tenants that the operator is a member of, newest first, to read.

    Subclasses that let rows be written name the role that it takes in `write_role`, and write through services.
    """

    write_role: Role | None = None
    list_per_page = 50
    list_max_show_all = 200
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # each would count
    list_select_related: ClassVar[Any] = ("tenant",)
    ordering: ClassVar[Any] = ("-id",)
    view_on_site = False
    save_as = False

    def response_action(self, request: HttpRequest, *args: Any, **more: Any) -> HttpResponse | None:
        """The answer to an action on the rows that were chosen. Django asks the database for whatever was sent."""
        try:
            for chosen in request.POST.getlist("_selected_action"):
                self.opts.pk.to_python(chosen)
        except ValidationError as error:
            raise BadRequest("What was chosen is no row.") from error
        return super().response_action(request, *args, **more)

    # -- Who may ------------------------------------------------------------------------------------------------------
    def has_module_permission(self, request: HttpRequest) -> bool:
        return operator_of(request).may(Role.VIEWER)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return operator_of(request).may(Role.VIEWER, obj and tenant_id_of(obj))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.write_role is not None and operator_of(request).may(self.write_role)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.write_role is not None and operator_of(request).may(self.write_role, obj and tenant_id_of(obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether the list offers actions; each action asks again for the tenant of each row."""
        return operator_of(request).may(Role.OPERATOR)

    # -- What is found ------------------------------------------------------------------------------------------------
    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Row-level security says the same again; said here too, it is also what the index starts with."""
        name = "pk" if self.model._meta.label == "tenants.Tenant" else "tenant_id"
        return super().get_queryset(request).filter(**{f"{name}__in": list(operator_of(request).roles)})

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row by its public id, or by its key where it has none."""
        if not _has_field(self.model, "public_id"):
            return super().get_object(request, object_id, from_field)
        try:
            return self.get_queryset(request).filter(public_id=UUID(object_id)).first()
        except ValueError:
            return None

    def get_paginator(self, request: HttpRequest, *args: Any, **kwargs: Any) -> CappedPaginator:
        """A paginator that knows whose rows the list may show."""
        paginator = CappedPaginator(*args, **kwargs)
        if _has_field(self.model, "tenant"):
            paginator.tenant_ids = list(operator_of(request).roles)
        return paginator

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[PublicIdChangeList]:
        return PublicIdChangeList

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """Without the tenant, for whoever sees only one."""
        shown = list(super().get_list_display(request))
        return shown if len(operator_of(request).roles) > 1 else [name for name in shown if name != "tenant"]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list, under its own name."""
        title = str(self.opts.verbose_name_plural)
        return super().changelist_view(request, {"title": f"{title[:1].upper()}{title[1:]}", **(extra_context or {})})

    def found_or_404(self, request: HttpRequest, object_id: str) -> Any:
        """The row, or the same 404 whether it is another tenant's or nobody's."""
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        return row

    def _get_obj_does_not_exist_redirect(self, request: HttpRequest, opts: Any, object_id: str) -> HttpResponseRedirect:
        raise Http404

    # -- What is remembered: never in the admin's own log, which knows no tenants --------------------------------------
    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        return None

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What operators did to this object."""
        row = self.found_or_404(request, object_id)
        acts = [(act, told_changes(act)) for act in acts_on(row)]
        context = {
            **self.admin_site.each_context(request),
            "title": f"What operators did: {row}",
            "opts": self.opts,
            "acts": acts,
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/operator_history.html", context)


def tenant_id_of(row: Any) -> int:
    """Whose row it is; a tenant is its own."""
    return int(row.tenant_id if hasattr(row, "tenant_id") else row.pk)


def acts_on(row: Model) -> list[OperatorAction]:
    """What operators did to one object, newest first, at most a hundred."""
    found = OperatorAction.objects.filter(
        tenant_id=tenant_id_of(row), object_kind=row._meta.model_name, object_ref=ref_of(row)
    )
    return list(found.order_by("-id")[:100])


def told_changes(act: OperatorAction) -> list[str]:
    """What an act changed, a line for each field."""
    return [f"{name}: {_word(before)} → {_word(after)}" for name, (before, after) in act.changes.items()]


def _word(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _has_field(model: type[Model], name: str) -> bool:
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return True
