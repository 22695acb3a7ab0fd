"""How long what is kept, what would be pruned now, and prunes that were ordered."""

from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from chimeway_py.errors import ChimewayError
from chimeway_py.text import LONGEST_REASON
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.pages import Button, Page, Section
from tenants.admin.paging import page_of, ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Role, Tenant
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import PruneOrder, RetentionPolicy
from workflows.models.retention import Kept
from workflows.retention.plan import Plan, plan_retention
from workflows.retention.policies import drop_policy, set_policy
from workflows.retention.pruning import order_prune


class ChangePolicyForm(ServiceForm):
    """How long."""

    days = forms.IntegerField(min_value=1, help_text="Counted from the end of a run, or from when something came.")
    is_automatic = forms.BooleanField(
        required=False, label="Automatic", help_text="Pruned by itself; otherwise only by an order."
    )
    archives = forms.BooleanField(required=False, label="Archive", help_text="Runs only: written to a file first.")


class PolicyForm(ChangePolicyForm):
    """What, and how long."""

    what = forms.ChoiceField(choices=Kept.choices, help_text="Runs by the state that they ended in, or what else.")
    field_order = ["what", "days"]


class DropPolicies(ReasonedAction):
    """Takes policies back."""

    name, verb, role = "drop", "Keep for ever", Role.ADMIN

    def forecast(self, row: RetentionPolicy) -> str:
        return f"{row.get_what_display()}: nothing more is pruned. Orders that were given go on."

    def carry_out(
        self, request: HttpRequest, tenant_id: int, rows: Sequence[RetentionPolicy], reason: str
    ) -> Iterable[Act]:
        for row in rows:
            try:
                drop_policy(tenant_id=tenant_id, what=row.what)
            except ChimewayError as error:
                yield Act("retentionpolicy", ref_of(row), error.message)
            else:
                yield Act("retentionpolicy", ref_of(row))


@admin.register(RetentionPolicy)
class RetentionPolicyAdmin(WritingAdmin):
    """Policies, one for each kind of thing. What has none is kept for ever."""

    form_class = PolicyForm
    change_class = ChangePolicyForm
    list_display = ["what", "tenant", "days", "is_automatic", "archives", "changed_by", "changed_at"]
    list_filter = [TenantFilter, "what", "is_automatic"]
    search_fields = ["=what"]
    actions = [DropPolicies()]

    def initial(self, row: RetentionPolicy) -> dict[str, Any]:
        return {name: getattr(row, name) for name in ("days", "is_automatic", "archives")}

    def write(
        self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any
    ) -> tuple[RetentionPolicy, str]:
        how = {name: said[name] for name in ("days", "is_automatic", "archives")}
        what = row.what if row is not None else said["what"]
        who = operator_of(request).username
        return set_policy(tenant_id=tenant_id, what=what, changed_by=who, **how), ""

    def page(self, request: HttpRequest, row: RetentionPolicy) -> Page:
        facts = [
            ("Kept", f"{row.days} days"),
            ("Pruned", "by itself" if row.is_automatic else "by an order"),
            ("Archived first", "yes" if row.archives else "no"),
            ("Changed", words.moment(row.changed_at)),
            ("By", row.changed_by),
        ]
        drop = Button("Keep for ever", action="drop")
        return Page(f"{row.get_what_display()}", facts=facts, buttons=[*self.write_buttons(request, row), drop])


class OrderForm(ServiceForm):
    """The approval of a plan."""

    tenant = forms.IntegerField(widget=forms.HiddenInput)
    plan = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE, label="Why? Every tombstone keeps it.")


Progress = question_filter(
    "progress",
    "progress",
    [
        ("open", "under way", lambda rows: rows.filter(finished_at=None)),
        ("done", "done", lambda rows: rows.exclude(finished_at=None)),
    ],
)


@admin.register(PruneOrder)
class PruneOrderAdmin(WritingAdmin):
    """Orders, and how far each has come. A new one starts from the plans of the operator's tenants, with counts."""

    may_change = False
    list_display = ["ordered_at", "tenant", "ordered_by", "reason", "runs_pruned", "finished_at"]
    list_filter = [Progress, TenantFilter]
    search_fields = ["=ordered_by"]

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """What would be pruned now; posting one of the plans orders it."""
        if not self.has_add_permission(request):
            return self._refused(request)
        return (request.method == "POST" and self._order(request)) or self._plans(request)

    def page(self, request: HttpRequest, row: PruneOrder) -> Page:
        counts = [[kind.replace("_", " "), number] for kind, number in sorted(row.pruned.items())]
        left = [[part["what"], f"before {part['before'][:16].replace('T', ' ')}"] for part in row.parts]
        return Page(
            title=f"Prune of {row.ordered_at:%Y-%m-%d %H:%M}",
            lead="Done." if row.finished_at else "Under way: it goes on within minutes.",
            tone="good" if row.finished_at else "calm",
            facts=[
                ("Ordered", words.moment(row.ordered_at)),
                ("By", row.ordered_by),
                ("Reason", row.reason),
                ("Finished", words.moment(row.finished_at)),
                ("Plan", row.plan),
            ],
            sections=[
                Section("Pruned so far", ["What", "Rows"], counts, "Nothing yet."),
                *([Section("Still to prune", ["What", "Which"], left)] if left else []),
            ],
        )

    @admin.display(description="Runs pruned")
    def runs_pruned(self, row: PruneOrder) -> int:
        return int(row.pruned.get("run", 0))

    def _mine(self, request: HttpRequest) -> list[Tenant]:
        operator = operator_of(request)
        mine = [id_ for id_ in operator.roles if operator.may(Role.ADMIN, id_)]
        asked = RetentionPolicy.objects.filter(tenant_id__in=mine).values("tenant_id")
        return list(Tenant.objects.filter(id__in=asked).order_by("slug"))

    def _order(self, request: HttpRequest) -> HttpResponse | None:
        """The answer once it is ordered; None when it was refused, which a message says."""
        form = OrderForm(request.POST)
        if not form.is_valid() or form.cleaned_data["tenant"] not in {one.pk for one in self._mine(request)}:
            self.message_user(request, "Say why. Nothing was ordered.", messages.ERROR)
            return None
        said = form.cleaned_data
        try:
            order = order_prune(
                tenant_id=said["tenant"],
                plan=said["plan"],
                reason=said["reason"],
                ordered_by=operator_of(request).username,
            )
        except ChimewayError as error:
            self.message_user(request, error.message, messages.ERROR)
            return None
        self._record(request, order, "create", before={}, reason=said["reason"])
        return HttpResponseRedirect(page_of(order))

    def _plans(self, request: HttpRequest) -> HttpResponse:
        made = [(tenant, plan_retention(tenant_id=tenant.pk)) for tenant in self._mine(request)]
        shown = [(tenant, _counted(tenant, plan), _form(tenant, plan)) for tenant, plan in made]
        return self._answer(request, "admin/prune_plan.html", "What would be pruned now", {"plans": shown})


def _counted(tenant: Tenant, plan: Plan) -> Section:
    rows = [
        [
            one.part.what.label,
            one.measure.count,
            one.measure.held,
            words.moment(one.part.before),
            words.moment(one.measure.oldest),
        ]
        for one in plan.parts
    ]
    return Section(str(tenant), ["What", "Would go", "Held", "Before", "Oldest"], rows)


def _form(tenant: Tenant, plan: Plan) -> OrderForm:
    return OrderForm(initial={"tenant": tenant.pk, "plan": plan.token}, auto_id=f"{tenant.slug}_%s")
