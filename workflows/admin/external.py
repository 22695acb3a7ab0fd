"""External work: what others do for runs, as it was last observed; an operator may say how it ended."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString

from chimeway_py.errors import ChimewayError, Conflict, Invalid, fault
from tenants.admin import words
from tenants.admin.actions import ReasonedAction
from tenants.admin.filters import TenantFilter, question_filter
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Button, Page
from tenants.admin.paging import ref_of
from tenants.admin.writes import WIDE, ServiceForm, WritingAdmin
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import ExternalWork
from workflows.models.external_work import ENDS, ExternalStatus
from workflows.services.external import ObservationVerdict, find_step_by_external_id, observe_external
from workflows.states import Cause

_SEEN = [(one.value, one.label) for one in ExternalStatus if one != ExternalStatus.EXPECTED]


class ObserveForm(ServiceForm):
    """What was seen of it."""

    status = forms.ChoiceField(choices=_SEEN, help_text="An end is final.")
    error = forms.CharField(max_length=200, required=False, widget=WIDE, help_text="Of a failure.")
    data = JSONText(initial=dict, required=False, help_text="Of an end: what the step keeps as its answer.")  # type: ignore[assignment]


class NewObservationForm(ObserveForm):
    """Of work that nobody has told of yet: a step that comes later finds it."""

    kind = forms.CharField(max_length=64, help_text="What steps name with `of`.")
    external_id = forms.CharField(max_length=200, strip=False, widget=WIDE)
    field_order = ["kind", "external_id"]


class ObserveEnd(ReasonedAction):
    """Notes an end that the other system did not tell."""

    status: ClassVar[ExternalStatus]

    def forecast(self, row: ExternalWork) -> str:
        if row.status in ENDS:
            return f"It {row.status} already, and that is final."
        return f"It is taken to have {self.status}, for good; a run that waits for it goes on."

    def carry_out(
        self, request: HttpRequest, tenant_id: int, rows: Sequence[ExternalWork], reason: str
    ) -> Iterable[Act]:
        for row in rows:
            try:
                seen = observe_external(
                    tenant_id=tenant_id,
                    kind=row.kind,
                    external_id=row.external_id,
                    status=self.status,
                    cause=Cause.OPERATOR,
                    cause_ref=operator_of(request).username,
                )
            except ChimewayError as error:
                yield Act("externalwork", ref_of(row), error.message)
            else:
                is_late = seen.verdict == ObservationVerdict.LATE
                yield Act("externalwork", ref_of(row), "it has another end already" if is_late else "")


class ObserveSucceeded(ObserveEnd):
    """It went well."""

    name, verb, status = "succeeded", "Note as succeeded", ExternalStatus.SUCCEEDED


class ObserveFailed(ObserveEnd):
    """It did not."""

    name, verb, status = "failed", "Note as failed", ExternalStatus.FAILED


Attention = question_filter(
    "attention",
    "attention",
    [
        ("awaited", "a step waits", lambda rows: rows.exclude(status__in=ENDS).filter(step_run__isnull=False)),
        ("early", "no step waits yet", lambda rows: rows.filter(step_run__isnull=True)),
        ("late", "observed after its end", lambda rows: rows.filter(late_observations__gt=0)),
    ],
)


@admin.register(ExternalWork)
class ExternalWorkAdmin(WritingAdmin):
    """External work under its own id; what was seen of it is noted by a form."""

    write_role = Role.OPERATOR

    form_class = NewObservationForm
    change_class = ObserveForm
    list_display = [
        "external_id",
        "tenant",
        "kind",
        "shown_status",
        "shown_run",
        "step",
        "observed",
        "late_observations",
    ]
    list_filter = [Attention, TenantFilter, "status"]
    list_select_related = ("tenant", "run", "step_run")
    search_fields = ["=external_id", "=kind"]
    search_help_text = "Its own id, or its kind"
    actions = [ObserveSucceeded(), ObserveFailed()]

    @admin.display(description="Status", ordering="status")
    def shown_status(self, row: ExternalWork) -> SafeString:
        return words.badge(row.status)

    @admin.display(description="Run")
    def shown_run(self, row: ExternalWork) -> str | SafeString:
        return words.link(row.run, words.short(row.run.public_id)) if row.run is not None else "–"

    @admin.display(description="Step")
    def step(self, row: ExternalWork) -> str:
        return f"{row.step_run.step} #{row.step_run.visit}" if row.step_run is not None else "–"

    @admin.display(description="Observed")
    def observed(self, row: ExternalWork) -> str:
        return words.ago(row.observed_at) or "never"

    def write(self, request: HttpRequest, tenant_id: int, said: dict[str, Any], row: Any) -> tuple[ExternalWork, str]:
        if type(said["data"] or {}) is not dict:
            raise Invalid("The observation is not valid.", [fault("/data", "bad_type", "A JSON object.")])
        place = (row.kind, row.external_id) if row is not None else (said["kind"], said["external_id"])
        seen = observe_external(
            tenant_id=tenant_id,
            kind=place[0],
            external_id=place[1],
            status=said["status"],
            error=said["error"],
            data=said["data"] or None,
            cause=Cause.OPERATOR,
            cause_ref=operator_of(request).username,
        )
        if seen.verdict == ObservationVerdict.LATE:
            raise Conflict("It has an end already, which is final. That it was seen again is counted.")
        return find_step_by_external_id(tenant_id=tenant_id, kind=place[0], external_id=place[1]), ""

    def page(self, request: HttpRequest, row: ExternalWork) -> Page:
        ends: list[ObserveEnd] = [] if row.status in ENDS else [ObserveSucceeded(), ObserveFailed()]
        return Page(
            title=f"{row.kind} {row.external_id}",
            facts=_facts(self, row),
            buttons=[
                *(self.write_buttons(request, row) if ends else []),
                *(Button(one.verb, action=one.name) for one in ends),
            ],
        )


def _facts(admin_: ExternalWorkAdmin, row: ExternalWork) -> list[tuple[str, Any]]:
    return [
        ("Status", words.badge(row.status)),
        ("Error", row.error or "–"),
        ("Run", admin_.shown_run(row)),
        ("Step", admin_.step(row)),
        ("Known since", words.moment(row.created_at)),
        ("Last observed", words.moment(row.observed_at)),
        ("Ended", words.moment(row.ended_at)),
        ("Observations", row.observations),
        ("After the end", row.late_observations),
    ]
