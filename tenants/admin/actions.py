"""Actions that ask for a reason, say what will happen, act through a service, and report what came of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from chimeway_py.errors import ChimewayError
from chimeway_py.text import LONGEST_REASON
from tenants.admin.base import TenantAdmin
from tenants.admin.paging import page_of, ref_of
from tenants.audit.facts import facts_of, with_changes
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, check_reason, record_acts

AT_MOST = 200  # objects per action: they are locked and changed in one transaction
LISTED_REFUSALS = 5


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an action will do to one row, before anybody says yes."""

    row: Any
    text: str
    url: str


class ReasonedAction:
    """An admin action. Subclasses say what would happen to a row, and do it for the rows of one tenant."""

    name: ClassVar[str]
    verb: ClassVar[str]
    allowed_permissions = ("act",)
    role: ClassVar[Role] = Role.OPERATOR

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def short_description(self) -> str:
        """As the list offers it."""
        return f"{self.verb} the selected %(verbose_name_plural)s…"

    def forecast(self, row: Any) -> str:
        """One sentence: what will happen to the row, or why it will be refused."""
        raise NotImplementedError

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Any], reason: str) -> Iterable[Act]:
        """Do it, for rows of one tenant. Refusals that are expected come back as acts."""
        raise NotImplementedError

    def __call__(self, modeladmin: TenantAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        """The page that asks; or, once it is answered, the way back to where the operator came from."""
        rows = list(queryset.select_related("tenant").order_by("id")[: AT_MOST + 1])
        if len(rows) > AT_MOST:
            modeladmin.message_user(request, f"At most {AT_MOST} at a time. Nothing was changed.", messages.ERROR)
            return None
        if "confirmed" not in request.POST:
            return self._ask(modeladmin, request, rows)
        try:
            reason = check_reason(request.POST.get("reason", ""))
        except ChimewayError as error:
            return self._ask(modeladmin, request, rows, error.message)
        acts = [act for group in _by_tenant(rows) for act in self._act(request, group, reason)]
        _report(modeladmin, request, self.verb, acts)
        return _way_back(modeladmin, request, rows)

    def _act(self, request: HttpRequest, rows: Sequence[Any], reason: str) -> list[Act]:
        tenant_id, operator = rows[0].tenant_id, operator_of(request)
        if operator.may(self.role, tenant_id):
            before = {row.pk: facts_of(row) for row in rows}
            acts = with_changes(self.carry_out(request, tenant_id, rows, reason), rows, before)
        else:
            kind = rows[0]._meta.model_name
            acts = [Act(kind, ref_of(row), "your role in this tenant does not allow it") for row in rows]
        record_acts(tenant_id=tenant_id, operator=operator, action=self.name, reason=reason, acts=acts)
        return acts

    def _ask(
        self, modeladmin: TenantAdmin, request: HttpRequest, rows: Sequence[Any], error: str = ""
    ) -> TemplateResponse:
        context = {
            **modeladmin.admin_site.each_context(request),
            "title": f"{self.verb} {len(rows)} {_noun(modeladmin, len(rows))}",
            "opts": modeladmin.opts,
            "action": {"name": self.name, "verb": self.verb},  # a template would call the action itself
            "error": error,
            "longest_reason": LONGEST_REASON,
            "forecasts": [Forecast(row, self.forecast(row), page_of(row)) for row in rows],
            "selected": ACTION_CHECKBOX_NAME,
            "from_page": request.POST.get("from_page", ""),
        }
        return TemplateResponse(request, "admin/ask_reason.html", context)


def _by_tenant(rows: Sequence[Any]) -> list[list[Any]]:
    groups: dict[int, list[Any]] = {}
    for row in rows:
        groups.setdefault(row.tenant_id, []).append(row)
    return list(groups.values())


def _noun(modeladmin: TenantAdmin, count: int) -> str:
    opts = modeladmin.opts
    return str(opts.verbose_name if count == 1 else opts.verbose_name_plural)


def _report(modeladmin: TenantAdmin, request: HttpRequest, verb: str, acts: Sequence[Act]) -> None:
    """How many moved, how many were refused, and why."""
    refused = [act for act in acts if act.refusal]
    moved = len(acts) - len(refused)
    text = f"{verb}: {moved} moved, {len(refused)} refused."
    why = [f"{act.object_ref}: {act.refusal.rstrip('.')}" for act in refused[:LISTED_REFUSALS]]
    more = len(refused) - len(why)
    text = " ".join([text, *(f"{line}." for line in why), *([f"And {more} more."] if more > 0 else [])])
    modeladmin.message_user(request, text, _level(moved, len(refused)))


def _level(moved: int, refused: int) -> int:
    """Whatever met nothing at all is no success: the rows may have gone meanwhile."""
    if not moved and refused:
        return messages.ERROR
    return messages.SUCCESS if moved and not refused else messages.WARNING


def _way_back(modeladmin: TenantAdmin, request: HttpRequest, rows: Sequence[Any]) -> HttpResponse | None:
    """To the object's own page when the action was asked for there; None is the list."""
    if request.POST.get("from_page") and len(rows) == 1:
        return HttpResponseRedirect(page_of(rows[0]))
    return None
