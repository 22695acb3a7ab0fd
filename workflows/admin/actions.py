"""What an operator may do to runs, through the services that REST uses, with a verdict per run."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest

from chimeway_py.errors import ChimewayError
from tenants.admin.actions import ReasonedAction
from tenants.models import Role
from tenants.operator_scope import operator_of
from tenants.services.operators import Act
from workflows.engine.permits import Standing, why_not
from workflows.models import Run, StepRun, Wait
from workflows.services.approvals import Decision, approve_runs, reject_runs
from workflows.services.control import ControlVerdict, cancel_runs, compensate_runs, pause_runs, resume_runs, wake_runs
from workflows.services.documents import documents
from workflows.services.replay import Version, irreversible_effects, replay_run, unstartable
from workflows.states import TERMINAL, Cause, RunState
from workflows.store.visits import undoable, visits_of


class ControlAction(ReasonedAction):
    """An action on runs that a control service carries out. `effect` may use {at}, which names the step."""

    effect: ClassVar[str]
    control: ClassVar[Callable[..., list[ControlVerdict]]]
    permit: ClassVar[str] = ""  # what is asked of the run, where that has another name

    def forecast(self, row: Run) -> str:
        refusal = why_not(self.permit or self.name, self.standing(row))
        return f"Refused: {refusal}" if refusal else self.effect.format(at=f" at {row.step}" if row.step else "")

    def standing(self, row: Run) -> Standing:
        """What decides whether the service would refuse."""
        return Standing(row.state, row.state == RunState.WAITING)

    def because(self, request: HttpRequest, reason: str) -> dict[str, Any]:
        """What the service is told of the reason."""
        return {"reason": reason}

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Run], reason: str) -> Iterable[Act]:
        verdicts = type(self).control(
            tenant_id=tenant_id,
            public_ids=[row.public_id for row in rows],
            cause=Cause.OPERATOR,
            cause_ref=operator_of(request).username,
            **self.because(request, reason),
        )
        return [Act("run", str(one.public_id), "" if one.verdict == "moved" else one.why) for one in verdicts]


class CancelRuns(ControlAction):
    """Ends runs, whatever they wait for."""

    name, verb = "cancel", "Cancel"
    effect = "It ends{at} as cancelled. A message that a worker is sending now may still arrive."
    control = staticmethod(cancel_runs)


class CancelAndUndoRuns(ControlAction):
    """Ends runs, and undoes what their steps did."""

    name, verb = "cancel_and_undo", "Cancel and undo"
    effect = "It ends{at} as cancelled, and then nothing is undone: no step of it says how."
    control = staticmethod(cancel_runs)
    permit = "cancel"

    def forecast(self, row: Run) -> str:
        document = documents(row.tenant_id, [row.definition_id])[row.definition_id].document
        mine = StepRun.objects.for_tenant(row.tenant_id).filter(run_id=row.pk).undoable(document.compensating)
        steps = list(mine.order_by("-finished_at", "-id").values_list("step", flat=True))
        said = super().forecast(row)
        return said if not steps or said.startswith("Refused") else f"It ends, and is undone: {', '.join(steps)}."

    def because(self, request: HttpRequest, reason: str) -> dict[str, Any]:
        return {"reason": reason, "compensate": True}


class CompensateRuns(ControlAction):
    """Undoes what ended runs did, as far as it is not undone."""

    name, verb = "compensate", "Undo"
    effect = "What it did is undone, the last step first; what failed to be undone is tried again."
    control = staticmethod(compensate_runs)

    def standing(self, row: Run) -> Standing:
        document = documents(row.tenant_id, [row.definition_id])[row.definition_id].document
        visits = visits_of(row.tenant_id, [row.pk]).get(row.pk, [])
        return Standing(row.state, is_undoable=bool(undoable(document, visits)))


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


def decidable(row: Run) -> Standing:
    """How a run stands to a decision."""
    wait = Wait.objects.filter(tenant_id=row.tenant_id, run=row, closed_at__isnull=True).first()
    return Standing(row.state, wait is not None, has_approval=wait is not None and bool(wait.routes))


class DecideApprovals(ControlAction):
    """Decides open approvals in the name of the operator; the reason is the comment."""

    def standing(self, row: Run) -> Standing:
        return decidable(row)

    def because(self, request: HttpRequest, reason: str) -> dict[str, Any]:
        return {"decision": Decision(actor=operator_of(request).username, comment=reason)}


class ApproveRuns(DecideApprovals):
    """Says yes."""

    name, verb = "approve", "Approve"
    effect = "The answer{at} is yes, and the run goes where yes leads."
    control = staticmethod(approve_runs)


class RejectRuns(DecideApprovals):
    """Says no."""

    name, verb = "reject", "Reject"
    effect = "The answer{at} is no, and the run goes where no leads."
    control = staticmethod(reject_runs)


RUN_ACTIONS: list[ControlAction] = [
    CancelRuns(),
    CancelAndUndoRuns(),
    CompensateRuns(),
    WakeRuns(),
    PauseRuns(),
    ResumeRuns(),
    ApproveRuns(),
    RejectRuns(),
]


class ReplayRuns(ReasonedAction):
    """Starts the journeys of ended runs once more, on their own versions."""

    name, verb = "replay", "Replay"
    allow_irreversible: ClassVar[bool] = False
    version: ClassVar[Version] = "same"

    def forecast(self, row: Run) -> str:
        why = unstartable(row.tenant_id, row.pk, self.version)
        refusal = why_not("replay", Standing(row.state, irreversible=self._irreversible(row), unstartable=why))
        return f"Refused: {refusal}" if refusal else "A new run starts with the same subject, correlation and data."

    def _irreversible(self, row: Run) -> tuple[str, ...]:
        if self.allow_irreversible or row.state not in TERMINAL:
            return ()
        document = documents(row.tenant_id, [row.definition_id])[row.definition_id].document
        return tuple(irreversible_effects(row.tenant_id, row.pk, document))

    def carry_out(self, request: HttpRequest, tenant_id: int, rows: Sequence[Run], reason: str) -> Iterable[Act]:
        for row in rows:
            try:
                replay_run(
                    tenant_id=tenant_id,
                    public_id=row.public_id,
                    cause=Cause.OPERATOR,
                    cause_ref=operator_of(request).username,
                    reason=reason,
                    version=self.version,
                    allow_irreversible=self.allow_irreversible,
                )
            except ChimewayError as error:
                yield Act("run", str(row.public_id), error.message)
            else:
                yield Act("run", str(row.public_id))


class ReplayIrreversibleRuns(ReplayRuns):
    """The same, although steps that cannot be undone may have taken effect."""

    name, verb, role = "replay_irreversible", "Replay in spite of irreversible steps", Role.ADMIN
    allow_irreversible = True


class ReplayOnLatest(ReplayRuns):
    """The same, on the version that starts would follow now."""

    name, verb, version = "replay_latest", "Replay on the latest version", "latest"


REPLAYS: list[ReasonedAction] = [ReplayRuns(), ReplayOnLatest(), ReplayIrreversibleRuns()]
