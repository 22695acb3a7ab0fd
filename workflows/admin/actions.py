"""What an operator may do to runs: cancel, pause, resume and wake, through the services, with a verdict per run."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpRequest

from tenants.admin.actions import ReasonedAction
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.models import Run
from workflows.services.control import ControlVerdict, cancel_runs, pause_runs, resume_runs, wake_runs
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
            yield Act("run", str(verdict.public_id), verdict.why)


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


class PauseRuns(ControlAction):
    """Holds runs where they stand."""

    name, verb = "pause", "Pause"

    def forecast(self, row: Run) -> str:
        if row.is_finished or row.state == RunState.PAUSED:
            return f"It is {row.state} already: refused."
        return f"It is {row.state} and nothing happens to it until it is resumed or its deadline passes."

    def control(self, **call: Any) -> list[ControlVerdict]:
        return pause_runs(**call)


class ResumeRuns(ControlAction):
    """Lets paused runs go on."""

    name, verb = "resume", "Resume"

    def forecast(self, row: Run) -> str:
        if row.state != RunState.PAUSED:
            return f"It is {row.state} and not paused: refused."
        return "It goes on: first with the signals that came meanwhile, then with a timer that is overdue."

    def control(self, **call: Any) -> list[ControlVerdict]:
        return resume_runs(**call)


class WakeRuns(ControlAction):
    """Ends open waits as though their time had come."""

    name, verb = "wake", "Wake"

    def forecast(self, row: Run) -> str:
        if row.state != RunState.WAITING:
            return f"It is {row.state} and does not wait: refused."
        return f"Its wait at {row.step} ends now, and the run goes on as when the time is up."

    def control(self, **call: Any) -> list[ControlVerdict]:
        return wake_runs(**call)
