"""Reminders of open approvals: a signal that other definitions may start on, in the transaction that notes it."""

from collections.abc import Sequence

from signals_app.services.intake import accept_signals
from signals_app.services.new_signal import NewSignal
from workflows.engine.facts import WaitFacts
from workflows.store.load import LockedRun

REMINDER = "approval.reminder"
SOURCE = "engine"


def send_reminders(tenant_id: int, reminded: Sequence[tuple[LockedRun, WaitFacts]]) -> None:
    """Accept one `approval.reminder` per approval, about the run's subject and with its correlation values."""
    if reminded:
        accept_signals(tenant_id=tenant_id, signals=[_reminder(run, wait) for run, wait in reminded], counted=False)


def _reminder(run: LockedRun, wait: WaitFacts) -> NewSignal:
    facts = run.facts
    return NewSignal(
        name=REMINDER,
        subject=facts.subject,
        correlation=facts.correlation,
        data={
            "run": facts.public_id,
            "workflow": run.definition.key,
            "step": wait.step,
            "visit": wait.visit,
            "actors": list(wait.actors),
            "due_at": wait.due_at and wait.due_at.isoformat(),
        },
        external_id=f"{facts.public_id}:{wait.step}:{wait.visit}",
        source=SOURCE,
    )
