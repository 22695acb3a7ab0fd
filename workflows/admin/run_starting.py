"""Starting runs at the admin: one for each subject, as REST starts them."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError, Invalid, fault
from chimeway_py.text import LONGEST_REASON
from tenants.admin.json_field import JSONText
from tenants.admin.writes import WIDE, ServiceForm, ask_tenant
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, check_reason, record_acts
from workflows.services.start import NewRun, Started, start_runs
from workflows.states import Cause

MOST_RUNS = 1000


class StartForm(ServiceForm):
    """What the runs start with."""

    workflow = forms.CharField(max_length=64, help_text="The key of a published definition.")
    version = forms.IntegerField(min_value=1, max_value=2**31 - 1, required=False, help_text="Empty: the latest.")
    subjects = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "cols": 80, "spellcheck": "false"}),
        help_text="One in a line; a run starts for each.",
    )
    correlation = JSONText(initial=dict, required=False)
    data = JSONText(initial=dict, required=False, help_text="What templates and conditions see.")  # type: ignore[assignment]
    at = forms.DateTimeField(required=False, help_text="2026-11-20 09:30, in UTC. Empty: now.")
    idempotency_key = forms.CharField(
        max_length=255, required=False, strip=False, widget=WIDE, help_text="The same key again starts nothing new."
    )
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE)


def start_form(request: HttpRequest) -> StartForm:
    """The form, for the tenants in which the operator may act."""
    form = StartForm(request.POST or None)
    ask_tenant(form, request, Role.OPERATOR)
    return form


def started(request: HttpRequest, form: StartForm) -> list[Started] | None:
    """An answer for each subject; None when the start was refused, which the form says; nothing was written."""
    said, operator = form.cleaned_data, operator_of(request)
    tenant_id = said["tenant"].pk
    try:
        reason = check_reason(said["reason"])
        found = start_runs(
            tenant_id=tenant_id,
            definition_key=said["workflow"],
            runs=_asked(said, operator.username),
            version=said["version"],
        )
    except ChimewayError as error:
        form.add_faults(_of_form(error))
        return None
    acts = [Act("run", str(one.public_id)) for one in found if one.created]
    record_acts(tenant_id=tenant_id, operator=operator, action="start", reason=reason, acts=acts)
    return found


def _asked(said: Mapping[str, Any], username: str) -> list[NewRun]:
    """A run for each subject; a key given for several is told apart by the subject, as in REST. Raises `Invalid`."""
    subjects = [one.strip() for one in said["subjects"].splitlines() if one.strip()]
    objects = {name: {} if said[name] is None else said[name] for name in ("correlation", "data")}
    faults = [fault(f"/{name}", "bad_type", "A JSON object.") for name, one in objects.items() if type(one) is not dict]
    if len(subjects) > MOST_RUNS:
        faults.append(fault("/subjects", "bad_length", f"At most {MOST_RUNS} at a time."))
    if faults:
        raise Invalid("The start is not valid.", faults)
    key = said["idempotency_key"]
    return [
        NewRun(
            subject,
            **objects,
            idempotency_key=f"{key}:{subject}" if key and len(subjects) > 1 else key or None,
            at=said["at"],
            cause=Cause.OPERATOR,
            cause_ref=username,
        )
        for subject in subjects
    ]


def _of_form(error: ChimewayError) -> ChimewayError:
    """The same faults, each once, without the index of the run that their paths start with."""
    if not isinstance(error, Invalid) or isinstance(error.detail, Mapping):
        return error
    told = {}
    for one in error.detail:
        index, _, rest = str(one["path"]).lstrip("/").partition("/")
        path = f"/{rest}".replace("/subject", "/subjects", 1) if index.isdecimal() else one["path"]
        told[path, one["code"]] = {**one, "path": path}
    return Invalid(error.message, list(told.values()))
