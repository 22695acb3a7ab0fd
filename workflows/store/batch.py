"""A set of locked runs on which events are applied in memory, and which is then written in a few statements.

One run is a batch of one: there is no other path by which a run changes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from chimeway_py.nudges import nudge_after_commit
from tenants.scope import with_commit
from tenants.sql import Parameters, Question, Rows, pipelined
from workflows import hooks
from workflows.engine.decide import decide
from workflows.engine.events import IN_SPITE_OF_SWITCH, Event, StepRests, StepSettled
from workflows.engine.facts import Answer, Decision, Judged, Move, Owed, SignalFacts, Undo, WaitFacts
from workflows.engine.journey import Journey
from workflows.events.types import run_event_type
from workflows.states import TERMINAL, Cause, Reason, RunState
from workflows.steps.base import Outcome, PlannedStep, WorkKind
from workflows.steps.registry import step_kind
from workflows.store import rows, undoing, write
from workflows.store.answers import answer_name, store_answer
from workflows.store.chain import digest
from workflows.store.load import Locked, LockedRun, lock_runs
from workflows.store.reasons import keep_words, replaced, words_in
from workflows.store.rows import dumps


@dataclass(slots=True)
class Pending:
    """What the flush will write, in rows."""

    changed: dict[int, LockedRun] = field(default_factory=dict)
    transitions: list[tuple[Any, ...]] = field(default_factory=list)
    opened: list[tuple[int, WaitFacts, str]] = field(default_factory=list)
    closed: list[tuple[int, WaitFacts, str]] = field(default_factory=list)
    reminded: list[int] = field(default_factory=list)  # waits
    verdicts: dict[tuple[int, int], tuple[SignalFacts, Judged]] = field(default_factory=dict)
    finished: list[LockedRun] = field(default_factory=list)
    answers: list[tuple[int, str, int, Answer]] = field(default_factory=list)  # with the run, the step and the visit
    reasons: list[tuple[int, str]] = field(default_factory=list)  # with the address of what somebody said
    held: dict[int, bool] = field(default_factory=dict)  # runs that were paused (True) or go on (False)
    also: list[Question] = field(default_factory=list)  # what the caller writes besides


_PEOPLE = frozenset({Cause.API, Cause.OPERATOR})
_CANCELLED = frozenset({Reason.CANCELLED, Reason.CANCELLED_BEFORE_START})


class RunBatch:
    """Load with `lock`, `apply` events in any number, `flush` once. Needs the tenant's scope around it."""

    def __init__(self, tenant_id: int, locked: Locked, *, now: datetime | None = None) -> None:
        self.tenant_id, self.runs, self.now = tenant_id, locked.runs, now or locked.now
        self._is_watched = locked.is_watched
        self._pending = Pending()
        self._owed: list[tuple[LockedRun, Owed]] = []
        self._work_planned = False
        self._asked: list[Callable[[], None]] = []  # answers to what was sent
        self._kept: dict[str, str] = {}  # what people said in this batch, and where it is kept
        self._undoing: dict[int, Undo | None] = {}
        self.owed_compensations: dict[int, list[str]] = {}  # by run, what the flush made owed

    @classmethod
    def lock(
        cls, tenant_id: int, run_ids: Iterable[int], *, now: datetime | None = None, skip_locked: bool = False
    ) -> "RunBatch":
        """Lock runs in id order. `now` replaces the database clock where a test moves time."""
        return cls(tenant_id, lock_runs(tenant_id, run_ids, skip_locked=skip_locked), now=now)

    @classmethod
    def lock_and_ask(
        cls, tenant_id: int, run_ids: Iterable[int], *asked: Question
    ) -> tuple["RunBatch", Sequence[Rows]]:
        """Lock runs in id order and, in the same trip to the server, ask what is to be known once they are locked."""
        locked = lock_runs(tenant_id, run_ids, *asked)
        return cls(tenant_id, locked), locked.answers

    def apply(self, run_id: int, event: Event) -> Decision:
        """Let one thing happen to one run. Nothing is written before `flush`."""
        run = self.runs[run_id]
        if run.held_by is not None and not isinstance(event, IN_SPITE_OF_SWITCH):
            self._take(run, decide(run.definition.document, run.facts, run.held_by, self.now))
        decision = decide(run.definition.document, run.facts, event, self.now)
        self._take(run, decision)
        return decision

    def note(self, run_id: int, cause: Cause, ref: str, reason: Reason, context: Mapping[str, Any]) -> None:
        """Write one transition that leaves the run where it is."""
        run = self.runs[run_id]
        journey = Journey(run.definition.document, run.facts.copy(), self.now)
        journey.note(cause, ref, reason, context)
        self._take(run, journey.decision)

    def verdict(self, run_id: int, signal: SignalFacts, judged: Judged) -> None:
        """Note what a signal meant to a run; the last word for the pair is kept."""
        self._pending.verdicts[signal.id, run_id] = (signal, judged)

    def go_on_undoing(self, run_id: int) -> None:
        """Something of an ended run has ended: its next compensation may begin, if it owes any."""
        self._undoing.setdefault(run_id, None)

    def undo_after_all(self, run_id: int, undo: Undo) -> None:
        """More became known of a visit of an ended run: it is undone if it took effect and what the run did is."""
        if self._undoing.get(run_id) is None:  # not when this very thing ended the run: then all is undone anyway
            self._undoing[run_id] = undo

    def work_planned(self) -> None:
        """Something is due for the workers once this is committed."""
        self._work_planned = True

    def also(self, statement: str, parameters: Parameters) -> None:
        """Let the flush send one more statement that writes, before its own."""
        self._pending.also.append((statement, parameters))

    def flush(self, *, is_last: bool = False) -> None:
        """Plan the owed work, then write everything: state, trace, waits, verdicts and work in this transaction.

        `is_last`: the caller does nothing after it in its scope, so that the commit may go out with what is written.
        """
        self._plan_all()
        has_answers = self._asked or self._is_watched or any(run.has_work for run in self._pending.finished)
        with pipelined() if has_answers or not is_last else with_commit():
            self.send()
        asked, self._asked = self._asked, []
        for read in asked:
            read()

    def send(self) -> None:
        """What `flush` does, but for its answers: inside `pipelined`, what follows is decided while this is written.

        Nothing may happen any more to a run that was changed: what is written is not read again.
        """
        self._plan_all()
        self._asked += write.send(self.tenant_id, self._pending, self.now, is_watched=self._is_watched)
        if hooks.is_anybody_listening():
            hooks.tell_after_commit(self._events())
        if self._work_planned:
            nudge_after_commit("work", self.tenant_id)
        self._pending, self._work_planned = Pending(), False

    def _plan_all(self) -> None:
        while self._owed:
            owed, self._owed = self._owed, []
            self._plan(owed)
        while self._undoing:
            asked, self._undoing = self._undoing, {}
            undoing.undo_runs(self, asked)

    def _events(self) -> Iterator[hooks.RunEvent]:
        for run_id, *values in self._pending.transitions:
            line = dict(zip(list(rows.TRANSITION)[1:], values, strict=True))
            run = self.runs[run_id]
            said = {name: line[name] for name in ("seq", "step", "from_state", "to_state", "reason", "occurred_at")}
            type_ = str(run_event_type(line["from_state"], line["to_state"]))
            yield hooks.RunEvent(type_, self.tenant_id, run.facts.public_id, run.definition.key, **said)

    def _take(self, run: LockedRun, decision: Decision) -> None:
        self._keep_reasons(run, decision)
        run.facts = decision.run
        pending = self._pending
        for signal, judged in decision.used:
            self.verdict(run.id, signal, judged)
        if decision.undo is not None:
            self._undoing[run.id] = decision.undo
        if not decision.moves:
            return
        pending.changed[run.id] = run
        for move in decision.moves:
            self._append(run, move)
            if (move.from_state == RunState.PAUSED) != (move.to_state == RunState.PAUSED):
                pending.held[run.id] = move.to_state == RunState.PAUSED
        pending.answers += [(run.id, *answered) for answered in decision.answers]
        pending.closed += [(run.id, wait, outcome) for wait, outcome in decision.closed]
        pending.reminded += [wait.id for wait in decision.reminded if wait.id is not None]
        pending.opened += [(run.id, wait, outcome) for wait, outcome in decision.opened]
        if run.facts.is_finished and decision.moves[-1].from_state not in TERMINAL:
            pending.finished.append(run)
        self._owed += [(run, owed) for owed in decision.owed]

    def _keep_reasons(self, run: LockedRun, decision: Decision) -> None:
        """Put addresses in the place of what people said, in the lines to come and in where the run stands."""
        for index, move in enumerate(decision.moves):
            if move.cause not in _PEOPLE:
                continue
            keys = ("why", "terminal_reason") if move.reason in _CANCELLED else ("why",)
            if words := words_in(move.context, keys):
                self._kept |= keep_words(self.tenant_id, words - self._kept.keys())
                decision.moves[index] = replace(move, context=replaced(move.context, self._kept))
                decision.run.status_context = replaced(decision.run.status_context, self._kept)
                if move.reason in _CANCELLED:
                    said = decision.run.terminal_reason
                    decision.run.terminal_reason = self._kept.get(said, said)
                self._pending.reasons += [(run.id, self._kept[one]) for one in words]

    def _append(self, run: LockedRun, move: Move) -> None:
        """One more line of the trace, chained to the one before."""
        run.seq += 1
        prev, delivery = run.chain_head, move.context.get("delivery")
        content: dict[str, Any] = {
            "seq": run.seq,
            "step": move.step,
            "visit": move.visit,
            "delivery": delivery,
            "cause": str(move.cause),
            "cause_ref": move.cause_ref,
            "from_state": str(move.from_state),
            "to_state": str(move.to_state),
            "reason": str(move.reason),
            "context": dumps(move.context),
            "occurred_at": self.now,
        }
        run.chain_head = digest(prev=prev, tenant_id=self.tenant_id, run=run.facts.public_id, **content)
        self._pending.transitions.append((run.id, *content.values(), prev, run.chain_head))

    def _plan(self, owed: list[tuple[LockedRun, Owed]]) -> None:
        """Write the step runs, let each kind plan its own rows, and go on with what was settled at once."""
        ids = write.write_step_runs(self.tenant_id, [(run, item) for run, item in owed], self.now)
        for run, _ in owed:
            run.has_work = True
        by_kind: dict[str, list[tuple[LockedRun, PlannedStep]]] = {}
        for (run, item), (step_run_id, key) in zip(owed, ids, strict=True):
            step = run.definition.document.by_key[item.step]
            planned = run.planned(self.tenant_id, step_run_id, key, step, item.visit)
            by_kind.setdefault(planned.step.kind, []).append((run, planned))
        for name, entries in sorted(by_kind.items()):  # kinds lock rows that runs share: everybody in one order
            kind = step_kind(name)
            assert isinstance(kind, WorkKind)
            settled = kind.plan([planned for _, planned in entries], self.now)
            self._settle(entries, settled)
            self._work_planned = self._work_planned or len(settled) < len(entries)

    def _hold(self, held: list[tuple[LockedRun, PlannedStep, Outcome]]) -> None:
        """Nobody takes such work up before its time; the trace says by which rule."""
        write.hold_step_runs(self.tenant_id, [(planned.step_run_id, outcome.until) for _, planned, outcome in held])
        for run, planned, outcome in held:
            self.note(run.id, Cause.STEP, planned.key, Reason.WORK_HELD, dict(outcome.context))

    def _rest(self, resting: list[tuple[LockedRun, PlannedStep, Outcome]]) -> None:
        """Nobody takes such work up at all; the run says for which reason it stays."""
        write.hold_step_runs(self.tenant_id, [(planned.step_run_id, None) for _, planned, _ in resting])
        for run, planned, outcome in resting:
            place = planned.step.key, planned.visit
            self.apply(run.id, StepRests(*place, outcome.rests, planned.key, dict(outcome.context)))

    def _settle(self, entries: list[tuple[LockedRun, PlannedStep]], settled: Mapping[int, Outcome]) -> None:
        done = [
            (run, planned, settled[planned.step_run_id]) for run, planned in entries if planned.step_run_id in settled
        ]
        self._rest([one for one in done if one[2].rests])
        done = [one for one in done if not one[2].rests]
        held = [one for one in done if one[2].until is not None]
        self._hold(held)
        done = [one for one in done if one[2].until is None]
        ends = [
            (planned.step_run_id, str(rows.status_after(outcome.word)), outcome.word) for _, planned, outcome in done
        ]
        write.settle_step_runs(self.tenant_id, ends, self.now)
        for run, planned, outcome in done:
            error = {"error": outcome.error} if outcome.error else {}
            context = error | dict(outcome.context)
            answer = None
            if outcome.answer is not None:
                answer = store_answer(self.tenant_id, answer_name(planned.step.config), outcome.answer)
            event = StepSettled(planned.step.key, planned.visit, outcome.word, planned.key, context, answer=answer)
            self.apply(run.id, event)
