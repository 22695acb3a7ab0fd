"""Control calls on all runs that meet a condition: looked at first, then carried out a batch at a time."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db.models import F
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError, Invalid, fault
from chimeway_py.text import LONGEST_REASON
from tenants.admin.pages import Section
from tenants.admin.writes import WIDE, ServiceForm
from tenants.audit.facts import Changes
from tenants.models import Role, Tenant
from tenants.operator_scope import operator_of
from tenants.services.operators import Act, Operator, check_reason, record_acts
from workflows.models import Transition
from workflows.services.approvals import Decision
from workflows.services.bulk_checks import DECISIONS, MOST_RUNS
from workflows.services.bulk_control import CONTROLS, Batch, Forecast, control_planned, plan_control
from workflows.services.bulk_replay import Replaying
from workflows.services.control import ControlVerdict
from workflows.services.run_selection import Plan, Selection
from workflows.states import Cause, RunState

BATCH = MOST_RUNS
_VERSIONS = [("", "its own"), ("latest", "the latest")]
_KEPT = ("step", "until", "version")  # what a plan does not keep: said with every batch


class LookForm(ServiceForm):
    """What to do, and to which runs: those that meet every condition given."""

    action = forms.ChoiceField(choices=[(name, name.capitalize()) for name in CONTROLS])
    workflow = forms.CharField(max_length=64, required=False, help_text="The key of a definition.")
    state = forms.ChoiceField(choices=[("", "any"), *RunState.choices], required=False)
    subject = forms.CharField(max_length=200, required=False, strip=False, widget=WIDE)
    correlation = forms.CharField(max_length=251, required=False, strip=False, widget=WIDE, help_text="order_id=A-1001")
    waiting_on = forms.CharField(max_length=100, required=False, help_text="A signal that an open wait takes.")
    started_after = forms.DateTimeField(required=False, help_text="2026-11-20 09:30, in UTC.")
    started_before = forms.DateTimeField(required=False)
    broadcast = forms.CharField(max_length=36, required=False, help_text="The id of the broadcast that started them.")
    compensate = forms.BooleanField(required=False, help_text="Of a cancel: undo what their steps did.")
    step = forms.CharField(max_length=64, required=False, help_text="Of an approve or a reject: the approval meant.")
    until = forms.DateTimeField(required=False, help_text="Of a pause: when it ends by itself, in UTC.")
    version = forms.ChoiceField(choices=_VERSIONS, required=False, help_text="Of a replay: which one it starts on.")


class GoForm(ServiceForm):
    """The approval of what was looked at."""

    tenant = forms.IntegerField(widget=forms.HiddenInput)
    plan = forms.CharField(max_length=4096, widget=forms.HiddenInput)
    step = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)
    until = forms.DateTimeField(required=False, widget=forms.HiddenInput)
    version = forms.ChoiceField(choices=_VERSIONS, required=False, widget=forms.HiddenInput)
    reason = forms.CharField(max_length=LONGEST_REASON, widget=WIDE, label="Why? The trace keeps it.")


def bulk_page(request: HttpRequest) -> dict[str, Any]:
    """What the page shows: the form, a forecast, or what a batch came to and the form of the next one.

    Posting a plan carries it out. The operator acts in tenants where the role allows it, and in no other.
    """
    mine = _tenants(operator_of(request))
    if "plan" in request.POST:
        return _go(request, mine)
    form = LookForm(request.POST or None)
    form.fields["tenant"] = forms.ModelChoiceField(mine, empty_label=None)
    form.order_fields(["tenant", *form.fields])
    if request.method == "POST" and form.is_valid():
        try:
            return {"form": form, **_look(operator_of(request), form.cleaned_data)}
        except ChimewayError as error:
            form.add_faults(error)
    return {"form": form}


def _tenants(operator: Operator) -> Any:
    mine = [id_ for id_ in operator.roles if operator.may(Role.OPERATOR, id_)]
    return Tenant.objects.filter(id__in=mine).order_by("slug")


def _look(operator: Operator, said: Mapping[str, Any]) -> dict[str, Any]:
    same = ("workflow", "state", "subject", "waiting_on", "started_after", "started_before", "broadcast")
    selection = Selection(correlation=_pair(said["correlation"]), **{name: said[name] for name in same})
    _check(said)
    forecast = plan_control(
        tenant_id=said["tenant"].pk,
        action=said["action"],
        selection=selection,
        compensate=said["compensate"],
        decision=_decision(operator, said["action"], said["step"]),
    )
    more = {"go": _go_form(said["tenant"].pk, forecast.plan, said), "verb": said["action"].capitalize()}
    return {"lead": _foreseen(forecast), "sections": [_sample(forecast)], **(more if forecast.moves else {})}


def _check(said: Mapping[str, Any]) -> None:
    """Raises `Invalid` for what does not go with the action."""
    meant = {"step": DECISIONS, "until": ("pause",), "version": ("replay",)}
    wrong = [name for name, actions in meant.items() if said[name] and said["action"] not in actions]
    if wrong:
        faults = [fault(f"/{name}", "conflict", f"Only of {' or '.join(meant[name])}.") for name in wrong]
        raise Invalid("The call is not valid.", faults)


def _decision(operator: Operator, action: str, step: str, comment: str = "") -> Decision | None:
    """Approvals are decided in the name of the operator; the reason is the comment."""
    return Decision(operator.username, comment, step=step) if action in DECISIONS else None


def _pair(text: str) -> dict[str, str]:
    name, _, value = text.partition("=")
    if text and not (name and value):
        raise Invalid("The selection is not valid.", [fault("/correlation", "bad_correlation", "name=value")])
    return {name: value} if text else {}


def _go(request: HttpRequest, mine: Any) -> dict[str, Any]:
    """Carry out the next batch. What is refused is said above, and nothing was done."""
    form = GoForm(request.POST)
    if not form.is_valid() or not mine.filter(pk=form.cleaned_data["tenant"]).exists():
        messages.error(request, "Say why. Nothing was done.")
        return {"go": form, "verb": "Go on"}
    said = form.cleaned_data
    try:
        batch, plan = _carry_out(request, said)
    except ChimewayError as error:
        messages.error(request, error.message)
        return {"go": form, "verb": "Go on"}
    moved = sum(one.verdict == "moved" for one in batch.verdicts)
    refused = len(batch.verdicts) - moved
    lead = f"{plan.action.capitalize()}: {moved} moved, {refused} refused, {batch.remaining} to come."
    again = _go_form(said["tenant"], batch.rest, said, said["reason"]) if batch.rest else None
    more = {"go": again, "verb": "Go on"} if again else {}
    return {"lead": lead, "sections": [_verdicts(batch)], **more}


def _carry_out(request: HttpRequest, said: Mapping[str, Any]) -> tuple[Batch, Plan]:
    operator, tenant_id = operator_of(request), said["tenant"]
    plan, reason = Plan.from_token(said["plan"]), check_reason(said["reason"])
    decision = _decision(operator, plan.action, said["step"], reason)
    batch = control_planned(
        tenant_id=tenant_id,
        plan=plan,
        cause=Cause.OPERATOR,
        cause_ref=operator.username,
        reason="" if decision else reason,
        limit=BATCH,
        until=said["until"],
        decision=decision,
        replaying=Replaying("latest") if said["version"] else None,
    )
    moves = _moves(tenant_id, [one.public_id for one in batch.verdicts if one.verdict == "moved"])
    acts = [
        Act("run", str(one.public_id), "" if one.verdict == "moved" else one.why, moves.get(one.public_id, {}))
        for one in batch.verdicts
    ]
    record_acts(tenant_id=tenant_id, operator=operator, action=f"bulk {plan.action}", reason=reason, acts=acts)
    return batch, plan


def _moves(tenant_id: int, moved: Sequence[UUID]) -> dict[UUID, Changes]:
    """From which state to which the last transition of each run led: it was just written."""
    last = Transition.objects.filter(tenant_id=tenant_id, run__public_id__in=moved, seq=F("run__seq"))
    found = last.values_list("run__public_id", "from_state", "to_state")
    return {public_id: {"state": [before, after]} for public_id, before, after in found}


def _go_form(tenant_id: int, plan: Plan, said: Mapping[str, Any], reason: str = "") -> GoForm:
    kept = {name: said[name] for name in _KEPT}
    return GoForm(initial={"tenant": tenant_id, "plan": plan.as_token(), "reason": reason, **kept})


def _foreseen(forecast: Forecast) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(forecast.by_state.items())) or "no run"
    busy = f" {forecast.in_flight} in flight may still take effect." if forecast.in_flight else ""
    undone = ", ".join(f"{count} {step}" for step, count in forecast.compensates.items()) or "nothing"
    undo = f" To be undone: {undone}." if forecast.plan.undoes else ""
    return f"Selected: {counts}. To {forecast.plan.action}: {forecast.moves}.{busy}{undo}"


def _sample(forecast: Forecast) -> Section:
    rows = [[str(one.public_id), one.subject, one.state, one.step or "–"] for one in forecast.sample]
    return Section("The oldest that would move", ["Run", "Subject", "State", "Step"], rows, "No run would move.")


def _verdicts(batch: Batch) -> Section:
    notable = [one for one in batch.verdicts if one.verdict != "moved" or one.in_flight or one.replay][:100]
    rows = [[str(one.public_id), one.verdict, one.state, _more(one)] for one in notable]
    headings = ["Run", "Verdict", "State", "Why, what is in flight, or the new run"]
    return Section("Refused, in flight, or replayed", headings, rows, "None.")


def _more(one: ControlVerdict) -> str:
    return one.why or ", ".join(one.in_flight) or str(one.replay or "")
