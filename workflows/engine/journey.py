"""Going on: from one step to the next until the run parks, owes work or ends. Works on a copy of the run's facts."""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from workflows.definitions.document import Document, Step, Target
from workflows.engine.facts import Decision, Go, Judged, Move, Owe, Owed, Park, RunFacts, SignalFacts, Undo, WaitFacts
from workflows.engine.matching import judge
from workflows.states import NOTED, Cause, Reason, RunState, check_move
from workflows.steps.registry import kinds, step_kind


class Journey:
    """Collects the moves of one decision while it walks the definition."""

    def __init__(self, document: Document, run: RunFacts, now: datetime) -> None:
        self.document, self.run, self.now = document, run, now
        self.decision = Decision(run)

    def move(
        self, to: RunState, cause: Cause, ref: str, reason: Reason, context: Mapping[str, Any] | None = None
    ) -> None:
        """Write one transition and stand there. Raises `InvalidTransition`."""
        run = self.run
        check_move(run.state, to, reason)
        context = context or {}
        visit = run.visits.get(run.step, 0)
        self.decision.moves.append(Move(run.state, to, run.step, visit, cause, ref, reason, context))
        run.state, run.status_reason, run.status_context = to, reason, context

    def note(self, cause: Cause, ref: str, reason: Reason, context: Mapping[str, Any]) -> None:
        """Write one transition, with a reason of `NOTED`, that leaves the run in its state and its status as it was."""
        assert reason in NOTED, reason  # folding the trace tells notes from moves by it
        run = self.run
        was = run.status_reason, run.status_context
        self.move(RunState(run.state), cause, ref, reason, context)
        run.status_reason, run.status_context = was

    def note_signal(self, signal: SignalFacts) -> None:
        """Note that a signal is kept for a later wait."""
        self.note(Cause.SIGNAL, signal.public_id, Reason.SIGNAL_BUFFERED, {"signal": signal.name})

    def follow(self, target: Target | None, ended: Reason) -> None:
        """Go where a rule says; None is the next step in order."""
        here = self.document.by_key[self.run.step]
        match target:
            case None | Target(kind="next"):
                self._enter_or_complete(self.document.step_after(here))
            case Target(kind="goto", step=key):
                self.enter(self.document.by_key[key])
            case Target(kind="stop", reason=reason, compensate=undone):
                self.end(RunState.STOPPED, Cause.STEP, here.key, Reason.RULE_STOPPED, reason, compensate=undone)
            case _:
                self.end(RunState.COMPLETED, Cause.STEP, here.key, ended, "completed_by_rule")

    def enter(self, step: Step) -> None:
        """Stand at a step and do what its kind says. Before a kind that this process does not know, the run stays."""
        run = self.run
        run.step, run.visits = step.key, {**run.visits, step.key: run.visits.get(step.key, 0) + 1}
        if step.kind in kinds():
            self._come_in(step)
        else:  # newer code has published it: what led here counts, and a newer worker goes on
            self.move(RunState.ACTIVE, Cause.STEP, step.key, Reason.STEP_KIND_UNKNOWN, {"kind": step.kind})

    def enter_again(self) -> None:
        """Do what the kind of the current step says, which was unknown. Raises `UnknownStepKind` if it still is."""
        self._come_in(self.document.by_key[self.run.step])

    def _come_in(self, step: Step) -> None:
        run, visit = self.run, self.run.visits[step.key]
        entered = step_kind(step.kind).enter(step, run, visit, self.now)
        run.step_entered_at = (
            self.now
        )  # only now: a wait that looks back "since_step" asks when the step before was entered
        match entered:
            case Go(target, reason, context):
                self.move(RunState.ACTIVE, Cause.STEP, step.key, reason, context)
                self.follow(target, Reason.RULE_COMPLETED)
            case Owe():
                self.move(RunState.ACTIVE, Cause.STEP, step.key, Reason.STEP_OWED)
                self.decision.owed.append(Owed(step.key, visit))
            case Park(wait):
                self.park(wait)

    def close_wait(self, outcome: str) -> None:
        """The open wait has ended; it is never armed again."""
        assert self.run.wait is not None
        self.decision.closed.append((self.run.wait, outcome))
        self.run.wait = None

    def end(
        self,
        to: RunState,
        cause: Cause,
        ref: str,
        reason: Reason,
        terminal_reason: str,
        more: Mapping[str, Any] = MappingProxyType({}),
        *,
        compensate: bool = False,
    ) -> None:
        """The run ends: nothing waits for it and nothing waits in it. `more` is told in the last line besides.

        What it did is undone when somebody or a rule says so, and always when it fails.
        """
        if self.run.wait is not None:
            self.close_wait("expired" if to == RunState.EXPIRED else "cancelled")
        undone = {"compensate": True} if compensate else {}
        self.move(to, cause, ref, reason, {"terminal_reason": terminal_reason, **more, **undone})
        if compensate or to == RunState.FAILED:
            self.undo(cause, ref)
        self.run.terminal_reason, self.run.suspended_until = terminal_reason, None
        self.run.pending_signals, self.run.buffered = 0, ()

    def undo(self, cause: Cause, ref: str, why: str = "") -> None:
        """The compensations of what the run did are owed, if its definition has any."""
        if self.document.compensating:
            self.decision.undo = Undo(cause, ref, why)

    def _enter_or_complete(self, step: Step | None) -> None:
        if step is not None:
            self.enter(step)
        else:
            self.end(RunState.COMPLETED, Cause.STEP, self.run.step, Reason.LAST_STEP_DONE, "last_step_done")

    def park(self, wait: WaitFacts) -> None:
        """Rest at a wait, unless a signal that came early ends it at once."""
        run = self.run
        context: dict[str, Any] = {
            "signals": sorted({rule.name for rule in wait.rules}),
            "due_at": wait.due_at and wait.due_at.isoformat(),
        }
        if wait.routes:
            context["actors"] = list(wait.actors)
        reason = Reason.APPROVAL_ASKED if wait.routes else Reason.WAIT_OPENED
        self.move(RunState.WAITING, Cause.STEP, wait.step, reason, context)
        early = self.early_signal(wait, wait.look_back_from)
        self.decision.opened.append((wait, "signal" if early else ""))
        if early is None:
            run.wait = wait
        else:
            self.use_early(wait, *early)

    def early_signal(self, wait: WaitFacts, since: datetime | None) -> tuple[SignalFacts, Target] | None:
        """The oldest buffered signal, received at `since` or later, that this wait takes; None takes none."""
        if since is None:
            return None
        for signal in self.run.buffered:
            if signal.received_at >= since:
                rule, _ = judge(wait.rules, signal, self.run, wait.step)
                if rule is not None:
                    return signal, rule.then
        return None

    def use_early(self, wait: WaitFacts, signal: SignalFacts, target: Target) -> None:
        """Go where a buffered signal leads; the wait it was kept for has ended."""
        run = self.run
        self.decision.used.append((signal, Judged("matched", "early_signal_used", wait.step)))
        run.buffered = tuple(other for other in run.buffered if other.id != signal.id)
        run.pending_signals -= 1
        context = {"signal": signal.name, "then": target.as_declared()}
        self.move(RunState.ACTIVE, Cause.SIGNAL, signal.public_id, Reason.EARLY_SIGNAL_USED, context)
        self.follow(target, Reason.RULE_COMPLETED)
