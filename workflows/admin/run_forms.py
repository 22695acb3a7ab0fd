"""Forms on the page of a run: times, a pause with an end, a decision, a note. Each for the revision that was shown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from chimeway_py.errors import ChimewayError, Invalid
from chimeway_py.text import LONGEST_REASON
from tenants.admin.json_field import JSONText
from tenants.admin.pages import Button
from tenants.admin.paging import page_of
from tenants.admin.writes import WIDE, ServiceForm
from tenants.audit.facts import changes_since, facts_of
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, check_reason, record_acts
from workflows.admin.actions import decidable
from workflows.engine.permits import why_not
from workflows.history.append import LONGEST_NOTE, append_transition
from workflows.models import Run
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.control import ControlVerdict, pause_runs
from workflows.services.run_times import CHANGEABLE, change_times
from workflows.states import Cause, RunState


class TimesForm(ServiceForm):
    """When the run expires, and when its pause ends."""

    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    deadline_at = forms.DateTimeField(
        required=False, label="Deadline", help_text="2026-11-20 09:30, in UTC. Empty: it never expires."
    )
    suspended_until = forms.DateTimeField(
        required=False, label="Paused until", help_text="In UTC. Empty: until somebody resumes it."
    )
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE, label="Why? The trace keeps it.")


class PauseForm(ServiceForm):
    """Until when the run stands still."""

    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    until = forms.DateTimeField(help_text="2026-11-20 09:30, in UTC. It goes on then by itself.")
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE, label="Why? The trace keeps it.")


class DecisionForm(ServiceForm):
    """What is said to the open approval."""

    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE, label="Comment")
    metadata = JSONText(
        required=False,
        help_text='For programs that read it, such as {"ticket": 4711}. Kept apart from the trace.',
    )


class NoteForm(ServiceForm):
    """A line for the trace."""

    revision = forms.IntegerField(min_value=0, widget=forms.HiddenInput)
    note = forms.CharField(
        max_length=LONGEST_NOTE, widget=WIDE, help_text="What happened, in a few words. It stays in the trace for good."
    )
    occurred_at = forms.DateTimeField(
        required=False, label="When", help_text="In UTC, after the last line of the trace. Empty: now."
    )


@dataclass(frozen=True, slots=True)
class RunForm:
    """One of the forms: `write` does it, and answers with the reason that is recorded. Raises `ChimewayError`."""

    label: str
    form: type[ServiceForm]
    write: Callable[[HttpRequest, Run, Mapping[str, Any]], str]
    asks: str = "change"  # what the run has to allow


def run_form_buttons(row: Run) -> list[Button]:
    """Links to the forms, as far as the run allows them; an ended run takes none."""
    standing = decidable(row)
    return [
        Button(one.label, url=page_of(row).replace("/change/", f"/{name}/"), why_not=why_not(one.asks, standing))
        for name, one in RUN_FORMS.items()
    ]


def filled(row: Run, asked: RunForm, request: HttpRequest) -> ServiceForm:
    """The form as the run stands now, or as it was sent."""
    values = {name: _to_the_second(getattr(row, name)) for name in CHANGEABLE}
    form = asked.form(request.POST or None, initial={"revision": row.revision, **values})
    if row.state != RunState.PAUSED:
        form.fields.pop("suspended_until", None)
    return form


def saved(row: Run, name: str, form: ServiceForm, request: HttpRequest) -> HttpResponse | None:
    """The way back once it is written; None when the service refused, which the form then says."""
    before = facts_of(row)
    try:
        reason = RUN_FORMS[name].write(request, row, form.cleaned_data)
    except ChimewayError as error:
        form.add_faults(error)
        return None
    operator, acts = operator_of(request), [Act("run", str(row.public_id), changes=changes_since(before, row))]
    record_acts(tenant_id=row.tenant_id, operator=operator, action=name, reason=reason, acts=acts)
    messages.success(request, f"{RUN_FORMS[name].label}: done.")
    return HttpResponseRedirect(page_of(row))


def _change(request: HttpRequest, row: Run, said: Mapping[str, Any]) -> str:
    """Change the times that are not as they were shown."""
    reason = check_reason(said["reason"])
    given = [name for name in CHANGEABLE if name in said]
    verdict = change_times(
        tenant_id=row.tenant_id,
        public_id=row.public_id,
        changes={name: said[name] for name in given if said[name] != _to_the_second(getattr(row, name))},
        cause=Cause.OPERATOR,
        cause_ref=operator_of(request).username,
        reason=reason,
        expected_revision=said["revision"],
    )
    if verdict.verdict == "refused":
        raise Invalid(verdict.why)
    return reason


def _pause(request: HttpRequest, row: Run, said: Mapping[str, Any]) -> str:
    reason = check_reason(said["reason"])
    [verdict] = pause_runs(
        tenant_id=row.tenant_id,
        public_ids=[row.public_id],
        cause=Cause.OPERATOR,
        cause_ref=operator_of(request).username,
        reason=reason,
        until=said["until"],
        expected={row.public_id: said["revision"]},
    )
    if verdict.verdict == "refused":
        raise Invalid(verdict.why)
    return reason


def _deciding(control: Callable[..., list[ControlVerdict]]) -> Callable[[HttpRequest, Run, Mapping[str, Any]], str]:
    def decide(request: HttpRequest, row: Run, said: Mapping[str, Any]) -> str:
        reason, actor = check_reason(said["reason"]), operator_of(request).username
        [verdict] = control(
            tenant_id=row.tenant_id,
            public_ids=[row.public_id],
            decision=Decision(actor=actor, comment=reason, metadata=said["metadata"] or {}),
            cause=Cause.OPERATOR,
            cause_ref=actor,
            expected={row.public_id: said["revision"]},
        )
        if verdict.verdict == "refused":
            raise Invalid(verdict.why)
        return reason

    return decide


def _note(request: HttpRequest, row: Run, said: Mapping[str, Any]) -> str:
    append_transition(
        tenant_id=row.tenant_id,
        public_id=row.public_id,
        note=said["note"],
        cause=Cause.OPERATOR,
        cause_ref=operator_of(request).username,
        expected_seq=said["revision"],
        occurred_at=said["occurred_at"],
    )
    return str(said["note"])


def _to_the_second(at: datetime | None) -> datetime | None:
    """As the form shows it."""
    return at and at.replace(microsecond=0)


RUN_FORMS = {
    "times": RunForm("Change times", TimesForm, _change),
    "pause_until": RunForm("Pause until", PauseForm, _pause, "pause"),
    "approve": RunForm("Approve with metadata", DecisionForm, _deciding(approve_runs), "approve"),
    "reject": RunForm("Reject with metadata", DecisionForm, _deciding(reject_runs), "reject"),
    "note": RunForm("Add a note", NoteForm, _note),
}
