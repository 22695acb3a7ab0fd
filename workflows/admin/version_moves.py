"""Moving the runs of a version to the latest one at the admin. Steps are mapped in REST and on the command line."""

from collections.abc import Iterable, Sequence

from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from tenants.admin.actions import ReasonedAction
from tenants.admin.pages import Button
from tenants.admin.paging import ref_of
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import Definition, DefinitionStatus
from workflows.services.definitions import fetch_definition
from workflows.services.version_moves import move_planned, plan_move
from workflows.services.version_plan import Change, MovePlan
from workflows.states import Cause

MOST_BATCHES = 4  # in one answer of the admin; what is left is told, and moved by asking again


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
                moved, stay, left = _moved(row, operator_of(request).username, reason)
            except ChimewayError as error:
                yield Act("definition", ref_of(row), error.message)
                continue
            if moved:
                yield Act("definition", ref_of(row))
            if stay or left or not moved:
                yield Act("definition", ref_of(row), f"{moved} runs moved, {stay} stay, {left} are left: ask again")


def move_buttons(row: Definition, versions: Sequence[Definition]) -> list[Button]:
    """Offered where a later version is published."""
    later = any(one.version > row.version and one.status == DefinitionStatus.PUBLISHED for one in versions)
    return [Button("Move its runs", action=MoveRuns.name)] if later and row.status != DefinitionStatus.DRAFT else []


def _change(row: Definition) -> Change:
    latest = fetch_definition(tenant_id=row.tenant_id, key=row.key)
    return Change(row.key, row.version, latest.version)


def _moved(row: Definition, username: str, reason: str) -> tuple[int, int, int]:
    """How many moved, stay, and are left for another call."""
    plan: MovePlan | None = plan_move(tenant_id=row.tenant_id, change=_change(row)).plan
    moved = stay = left = 0
    for _ in range(MOST_BATCHES):
        if plan is None:
            break
        batch = move_planned(
            tenant_id=row.tenant_id, plan=plan, cause=Cause.OPERATOR, cause_ref=username, reason=reason
        )
        own = sum(one.verdict == "moved" for one in batch.verdicts)
        moved, stay = moved + own, stay + len(batch.verdicts) - own
        plan, left = batch.rest, batch.remaining
    return moved, stay, left
