"""What an operator may do to runs, through the services that REST uses, with a verdict per run."""

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from django.http import HttpRequest

from tenants.admin.actions import ReasonedAction
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.engine.permits import Standing, why_not
from workflows.models import Run
from workflows.services.control import ControlVerdict, cancel_runs, pause_runs, resume_runs, wake_runs
from workflows.states import Cause, RunState


class ControlAction(ReasonedAction):
    """An action on runs that a control service carries out. `effect` may use {at}, which names the step."""

    effect: ClassVar[str]
    control: ClassVar[Callable[..., list[ControlVerdict]]]

    def forecast(self, row: Run) -> str:
        refusal = why_not(self.name, Standing(row.state, row.state == RunState.WAITING))
        return f"Refused: {refusal}" if refusal else self.effect.format(at=f" at {row.step}" if row.step else "")

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Run], reason: str) -> Iterable[Act]:
        verdicts = type(self).control(
            tenant_id=tenant_id,
            public_ids=[row.public_id for row in rows],
            cause=Cause.OPERATOR,
            cause_ref=operator_of(request).username,
            reason=reason,
        )
        return [Act("run", str(one.public_id), "" if one.verdict == "moved" else one.why) for one in verdicts]


class CancelRuns(ControlAction):
    """Ends runs, whatever they wait for."""

    name, verb = "cancel", "Cancel"
    effect = "It ends{at} as cancelled. A message that a worker is sending now may still arrive."
    control = staticmethod(cancel_runs)


class WakeRuns(ControlAction):
    """Ends open waits as though their time had come."""

    name, verb = "wake", "Wake"
    effect = "Its wait{at} ends now, and the run goes on as when the time is up."
    control = staticmethod(wake_runs)


class PauseRuns(ControlAction):
    """Holds runs where they stand."""

    name, verb = "pause", "Pause"
    effect = "It stands still{at} until it is resumed. Signals are kept for it; its deadline goes on."
    control = staticmethod(pause_runs)


class ResumeRuns(ControlAction):
    """Lets paused runs go on."""

    name, verb = "resume", "Resume"
    effect = "It goes on{at}: first with what came meanwhile, then with a timer that is overdue."
    control = staticmethod(resume_runs)


RUN_ACTIONS: list[ControlAction] = [CancelRuns(), WakeRuns(), PauseRuns(), ResumeRuns()]
