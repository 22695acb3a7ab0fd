"""Moving the runs of a version at the admin: to the latest one by an action, to any other and with a map by a form."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest

from chimeway_py.errors import ChimewayError, Invalid, fault
from tenants.admin.actions import ReasonedAction
from tenants.admin.looking import GoForm, Looked, LookFirst
from tenants.admin.pages import Button, Section
from tenants.admin.paging import ref_of
from tenants.admin.writes import ServiceForm
from tenants.audit.facts import Changes
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import Definition, DefinitionStatus
from workflows.services.definitions import fetch_definition
from workflows.services.version_moves import MoveForecast, MoveVerdict, move_planned, plan_move
from workflows.services.version_plan import DUES, Change, MovePlan
from workflows.states import Cause

MOST_BATCHES = 4  # in one answer of the admin; what is left is told, and moved by asking again
MOST_SHOWN = 100


class MoveRuns(ReasonedAction):
    """Moves the runs of the selected versions to the latest published one of their key."""

    name, verb, role = "move_runs", "Move runs", Role.ADMIN

    def forecast(self, row: Definition) -> str:
        try:
            change = _change(row)
            look = plan_move(tenant_id=row.tenant_id, change=change)
        except ChimewayError as error:
            return f"Refused: {error.message}"
        groups = [f"{one.runs} {one.state} at {one.step or 'no step yet'}: {one.outcome}" for one in look.groups]
        told = f"To version {change.to_version}: {look.moves} runs move, {look.stays} stay."
        return " ".join([told, *(f"{group.replace('_', ' ')}." for group in groups)])

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Definition], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                plan = plan_move(tenant_id=row.tenant_id, change=_change(row)).plan
                verdicts, _, left = _moved(row.tenant_id, plan, operator_of(request).username, reason)
            except ChimewayError as error:
                yield Act("definition", ref_of(row), error.message)
                continue
            moved = sum(one.verdict == "moved" for one in verdicts)
            stay = len(verdicts) - moved
            if moved:
                yield Act("definition", ref_of(row))
            if stay or left or not moved:
                yield Act("definition", ref_of(row), f"{moved} runs moved, {stay} stay, {left} are left: ask again")


class MoveForm(ServiceForm):
    """Where to, and what becomes of steps that have another key there."""

    to_version = forms.IntegerField(min_value=1, max_value=2**31 - 1)
    map = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "cols": 60}),
        help_text="A line per step that is called otherwise there: old=new. The others keep their key.",
    )
    due = forms.ChoiceField(
        choices=[(one, one) for one in DUES],
        help_text="Of a wait that is opened anew: keep its time, or recompute it from when it was opened.",
    )


class MoveGoForm(GoForm):
    """The plan that was looked at."""

    plan = forms.CharField(max_length=20_000, widget=forms.HiddenInput)


class MoveWithMap(LookFirst):
    """Moves the runs of a version to another one, with a map of steps."""

    name, label = "move", "Move its runs with a map"
    look_form, go_form = MoveForm, MoveGoForm

    def look(self, row: Definition, said: Mapping[str, Any]) -> Looked:
        change = Change(row.key, row.version, said["to_version"], _map(said["map"]), said["due"])
        seen = plan_move(tenant_id=row.tenant_id, change=change)
        rest = {"plan": seen.plan.as_token()} if seen.moves else None
        return Looked(f"{seen.moves} runs would move, {seen.stays} would stay.", [_groups(seen)], rest)

    def go(self, request: HttpRequest, row: Definition, said: Mapping[str, Any]) -> tuple[Looked, Changes]:
        plan = MovePlan.from_token(said["plan"], row.key)
        if plan.change.from_version != row.version:
            raise Invalid("The plan is not valid.", [fault("/plan", "other_plan", "It was made for another version.")])
        verdicts, rest, left = _moved(row.tenant_id, plan, operator_of(request).username, said["reason"])
        moved = sum(one.verdict == "moved" for one in verdicts)
        lead = f"{moved} moved, {len(verdicts) - moved} stay, {left} to come."
        changes: Changes = {"version": [row.version, plan.change.to_version], "runs moved": [0, moved]}
        return Looked(lead, [_stay(verdicts)], {"plan": rest.as_token()} if rest else None), changes


MOVE_WITH_MAP = MoveWithMap()


def move_buttons(row: Definition, versions: Sequence[Definition]) -> list[Button]:
    """Offered where another version is published; the plain one where that is a later one."""
    others = [one for one in versions if one.version != row.version and one.status == DefinitionStatus.PUBLISHED]
    if row.status == DefinitionStatus.DRAFT or not others:
        return []
    later = any(one.version > row.version for one in others)
    return [*([Button("Move its runs", action=MoveRuns.name)] if later else []), MOVE_WITH_MAP.button(row)]


def _change(row: Definition) -> Change:
    latest = fetch_definition(tenant_id=row.tenant_id, key=row.key)
    return Change(row.key, row.version, latest.version)


def _moved(
    tenant_id: int, plan: MovePlan, username: str, reason: str
) -> tuple[list[MoveVerdict], MovePlan | None, int]:
    """The verdicts of a few batches, the plan for what is left for another call, and how many those are."""
    verdicts: list[MoveVerdict] = []
    for _ in range(MOST_BATCHES):
        batch = move_planned(tenant_id=tenant_id, plan=plan, cause=Cause.OPERATOR, cause_ref=username, reason=reason)
        verdicts += batch.verdicts
        if batch.rest is None:
            return verdicts, None, batch.remaining
        plan = batch.rest
    return verdicts, plan, batch.remaining


def _map(text: str) -> dict[str, str]:
    pairs = [[part.strip() for part in line.split("=")] for line in text.splitlines() if line.strip()]
    if any(len(pair) != 2 or not all(pair) for pair in pairs) or len({old for old, *_ in pairs}) < len(pairs):
        raise Invalid("The map is not valid.", [fault("/map", "bad_map", "A line per step: old=new, each old once.")])
    return {pair[0]: pair[1] for pair in pairs}


def _groups(seen: MoveForecast) -> Section:
    headings = ["Runs", "State", "Step", "To", "Outcome", "Why"]
    rows = [
        [one.runs, one.state, one.step or "–", one.step_to or "–", one.outcome.label, one.why] for one in seen.groups
    ]
    return Section("By where they stand", headings, rows, "No run is on it.")


def _stay(verdicts: Sequence[MoveVerdict]) -> Section:
    stay = [one for one in verdicts if one.verdict != "moved"][:MOST_SHOWN]
    rows = [[str(one.public_id), one.state, one.step or "–", one.why] for one in stay]
    return Section("Those that stay", ["Run", "State", "Step", "Why"], rows)
