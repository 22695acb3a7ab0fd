"""What an operator may do to runs: cancel and wake, through the services, with a verdict per run."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest

from tenants.admin.actions import ReasonedAction
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import Run
from workflows.services.control import ControlVerdict, cancel_runs, wake_runs
from workflows.states import Cause, RunState


class ControlAction(ReasonedAction):
    """An action on runs that a control service carries out."""

    def control(self, **call: Any) -> list[ControlVerdict]:
        """Call the service."""
        raise NotImplementedError

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Run], reason: str) -> Iterable[Act]:
        verdicts = self.control(
            tenant_id=tenant_id,
            public_ids=[row.public_id for row in rows],
            cause=Cause.OPERATOR,
            cause_ref=operator_of(request).username,
            reason=reason,
        )
        for verdict in verdicts:
            refusal = "" if verdict.verdict == "moved" else f"it is {verdict.state}"
            yield Act("run", str(verdict.public_id), refusal)


class CancelRuns(ControlAction):
    """Ends runs, whatever they wait for."""

    name, verb = "cancel", "Cancel"

    def forecast(self, row: Run) -> str:
        if row.is_finished:
            return f"It is {row.state} already: refused."
        at = f" at {row.step}" if row.step else ""
        return f"It is {row.state}{at} and ends as cancelled. A message that a worker is sending now may still arrive."

    def control(self, **call: Any) -> list[ControlVerdict]:
        return cancel_runs(**call)


class WakeRuns(ControlAction):
    """Ends open waits as though their time had come."""

    name, verb = "wake", "Wake"

    def forecast(self, row: Run) -> str:
        if row.state != RunState.WAITING:
            return f"It is {row.state} and does not wait: refused."
        return f"Its wait at {row.step} ends now, and the run goes on as when the time is up."

    def control(self, **call: Any) -> list[ControlVerdict]:
        return wake_runs(**call)
