"""Inspecting one trace, line by line, with nothing kept but the line before: pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import TextChoices

from workflows.origins import Origins
from workflows.standing import Standing, Told, at_odds
from workflows.states import Reason, is_allowed
from workflows.store.chain import GENESIS, digest
from workflows.told_work import ToldWork
from workflows.trace import FoldedState, fold
from workflows.worked import Work, work_at_odds


class FaultCode(TextChoices):
    """What can be wrong with a trace."""

    NO_TRACE = "no_trace"
    RUN_MISSING = "run_missing"
    MISSING_SEQ = "missing_seq"
    CUT_TAIL = "cut_tail"
    ADDED_TAIL = "added_tail"
    WRONG_CONTENT = "wrong_content"
    WRONG_HASH = "wrong_hash"
    WRONG_PREV_HASH = "wrong_prev_hash"
    REWRITTEN = "rewritten"  # content and hash together, so that the line agrees with itself and not with the next
    WRONG_CHAIN_HEAD = "wrong_chain_head"
    ILLEGAL_MOVE = "illegal_move"
    WRONG_STATE = "wrong_state"
    WRONG_ROW = "wrong_row"  # besides its state, the row says something else than the trace
    WRONG_ANSWER = "wrong_answer"  # what a step brought back is not what the trace says that it was


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, with the public id of its run and the line where it shows."""

    run: str
    seq: int
    code: FaultCode
    message: str


@dataclass(frozen=True, slots=True)
class StoredRun:
    """What the run's row says."""

    public_id: UUID
    state: str
    step: str
    visits: Mapping[str, int]
    status_reason: str
    status_context: Mapping[str, Any]
    terminal_reason: str
    pending_signals: int
    seq: int
    revision: int
    chain_head: bytes
    origins: Any = ()  # as `Origins` reads it
    answers: Mapping[str, str] | None = None  # by name, the address of what is kept; None: not asked for
    standing: Standing | None = field(default=None, kw_only=True)  # what else the row says; None: not asked for
    works: Sequence[Work] | None = field(default=None, kw_only=True)  # what it owed; None: not asked for


@dataclass(frozen=True, slots=True)
class TraceLine:
    """One transition as it is stored."""

    seq: int
    step: str
    visit: int
    delivery: UUID | None
    cause: str
    cause_ref: str
    from_state: str
    to_state: str
    reason: str
    context: Any
    occurred_at: datetime
    prev_hash: bytes
    hash: bytes


class Inspection:
    """Takes the lines of one run in order, then says what is wrong.

    `folded` and `head` let it begin after a line that was proved before: the state there, and that line's hash.
    """

    def __init__(
        self, tenant_id: int, run: StoredRun, folded: FoldedState | None = None, head: bytes = GENESIS
    ) -> None:
        self.run, self.origins = run, Origins.read(run.origins, tenant_id, run.seq)
        self.faults: list[Fault] = []
        self.folded = folded or FoldedState()
        self.head = head  # the hash of the line before
        self._told, self._told_work = Told(), ToldWork()
        self._unsure: tuple[int, bytes] | None = None  # a line at odds with its hash, and the hash that it should have
        self._whole = True
        self._named: dict[str, tuple[int, str]] = {}  # by name, the line that told an answer last, and its address
        self._held: list[tuple[str, str]] = []  # answers that a paused run took, and tells again when it goes on

    def take(self, line: TraceLine) -> None:
        """Check the next line against the one before."""
        expected = self.folded.seq + 1
        if line.seq != expected:
            self._gap(expected, line.seq)
            self.head = bytes(line.prev_hash)  # nothing is known of the line before
        self._check_link(line)
        self._check_move(line)
        self.folded = fold([line], self.folded)
        self.head = bytes(line.hash)
        self._take_answer(line)
        if not self.faults:
            self._told.take(line)
            if self.run.works is not None:
                self._told_work.take(line)

    def finish(self) -> list[Fault]:
        """Every fault, after the last line."""
        if not self.folded.seq:
            self._fault(1, FaultCode.NO_TRACE, "The run has no trace.")
            return self.faults
        self._check_end()
        if not self.origins.is_sound:
            self._fault(self.folded.seq, FaultCode.WRONG_ROW, "origins is not what an import writes.")
        if self._whole:
            self.faults += self._differences()
            self.faults += self._other_answers()
        if not self.faults:
            self.faults += self._at_odds()
        return sorted(self.faults, key=lambda fault: fault.seq)

    def _gap(self, expected: int, found: int) -> None:
        self._whole = False
        self._settle(None)
        missing = str(expected) if found == expected + 1 else f"{expected} to {found - 1}"
        self._fault(expected, FaultCode.MISSING_SEQ, f"Missing: {missing}.")

    def _take_answer(self, line: TraceLine) -> None:
        found = _answer_in(line)
        if found is None:
            return
        if line.reason == Reason.OUTCOME_HELD:
            self._held.append(found)
        elif found in self._held:
            self._held.remove(found)
            return
        self._named[found[0]] = line.seq, found[1]

    def _check_link(self, line: TraceLine) -> None:
        """Say which of two neighbours was changed, where both together can tell."""
        prev, own = bytes(line.prev_hash), bytes(line.hash)
        self._settle(prev)
        if prev == self.head:
            if self._digest(line, prev) != own:
                self._unsure = line.seq, self._digest(line, prev)
        elif self._digest(line, self.head) == own:
            self._fault(line.seq, FaultCode.WRONG_PREV_HASH, "Its prev_hash was changed.")
        elif self._digest(line, prev) == own:
            self._broken_before(line.seq)
        else:
            self._fault(line.seq, FaultCode.WRONG_CONTENT, "Neither content nor prev_hash agree with its hash.")

    def _broken_before(self, seq: int) -> None:
        """A line that agrees with itself follows another line than the one that is there."""
        if any(fault.seq == seq - 1 and fault.code == FaultCode.WRONG_HASH for fault in self.faults):
            return  # told already: the hash that this line continues was the right one
        self._fault(max(seq - 1, 1), FaultCode.REWRITTEN, f"Line {seq} continues another line than this one.")

    def _settle(self, link: bytes | None) -> None:
        """Judge the line in doubt by what comes after it: the hash that its successor, or the run, continues from."""
        if self._unsure is None:
            return
        seq, right = self._unsure
        self._unsure = None
        if link == right:
            self._fault(seq, FaultCode.WRONG_HASH, "Its hash was changed.")
        else:
            self._fault(seq, FaultCode.WRONG_CONTENT, "Its content is not what was hashed.")

    def _check_end(self) -> None:
        last, head = self.folded.seq, bytes(self.run.chain_head)
        if last < self.run.seq:
            self._whole = False
            self._settle(None)
            self._fault(last + 1, FaultCode.CUT_TAIL, f"The trace ends at {last} and the run stands at {self.run.seq}.")
        elif last > self.run.seq:
            self._settle(None)
            message = f"The run stands at {self.run.seq} and the trace goes on to {last}."
            self._fault(self.run.seq + 1, FaultCode.ADDED_TAIL, message)
        else:
            was_sure = self._unsure is None
            self._settle(head)
            if was_sure and head != self.head:
                self._fault(last, FaultCode.WRONG_CHAIN_HEAD, "The run's chain head is not the hash of the last line.")

    def _check_move(self, line: TraceLine) -> None:
        if self._whole and line.from_state != self.folded.state:
            message = f"It leaves {line.from_state or 'nothing'} and the run stood at {self.folded.state or 'nothing'}."
            self._fault(line.seq, FaultCode.ILLEGAL_MOVE, message)
        elif not is_allowed(line.from_state, line.to_state, line.reason):
            message = f"No run moves from {line.from_state or 'nothing'} to {line.to_state}."
            self._fault(line.seq, FaultCode.ILLEGAL_MOVE, message)

    def _differences(self) -> Iterator[Fault]:
        for name in FoldedState.__dataclass_fields__:
            stored, folded = getattr(self.run, name), getattr(self.folded, name)
            if stored != folded:
                message = f"{name} is stored as {stored!r}; the trace gives {folded!r}."
                yield Fault(str(self.run.public_id), self.folded.seq, FaultCode.WRONG_STATE, message)

    def _at_odds(self) -> Iterator[Fault]:
        """What else the row says; judged last, by a trace that is whole."""
        if self.run.standing is None:
            return
        is_imported = self.origins.foreign > 0
        for message, is_repairable in at_odds(self.run.standing, self._told, self.folded, is_imported=is_imported):
            code = FaultCode.WRONG_STATE if is_repairable else FaultCode.WRONG_ROW
            yield Fault(str(self.run.public_id), self.folded.seq, code, message)
        if self.run.works is not None and not is_imported:  # elsewhere its work had other keys, and other clocks
            for message in work_at_odds(self.run.works, self._told_work):
                yield Fault(str(self.run.public_id), self.folded.seq, FaultCode.WRONG_ROW, message)

    def _other_answers(self) -> Iterator[Fault]:
        """Answers that are kept and that the trace does not name. What was erased or pruned is not there any more."""
        imported = self.origins.foreign
        for name, address in (self.run.answers or {}).items():
            seq, named = self._named.get(name, (imported, ""))
            if named != address and seq > imported:  # where a run comes from, payloads have other addresses
                yield Fault(str(self.run.public_id), seq, FaultCode.WRONG_ANSWER, f"Another {name} is kept.")
            elif not named and not imported:
                message = f"{name} is kept, and no line names it."
                yield Fault(str(self.run.public_id), self.folded.seq, FaultCode.WRONG_ANSWER, message)

    def _digest(self, line: TraceLine, prev: bytes) -> bytes:
        content = {name: getattr(line, name) for name in TraceLine.__slots__ if name not in ("prev_hash", "hash")}
        content["delivery"] = str(line.delivery) if line.delivery else None
        return digest(prev=prev, tenant_id=self.origins.writer(line.seq), run=str(self.run.public_id), **content)

    def _fault(self, seq: int, code: FaultCode, message: str) -> None:
        self.faults.append(Fault(str(self.run.public_id), seq, code, message))


def _answer_in(line: TraceLine) -> tuple[str, str] | None:
    """(name, address) of what the line says that a step brought back. A paused run holds what it was told last."""
    found = _member(line.context, "answer")
    if line.reason == Reason.OUTCOME_HELD:
        held = _member(line.context, "outcomes")
        found = _member(_member(held[-1], "context"), "answer") if isinstance(held, list) and held else None
    name, address = _member(found, "name"), _member(found, "payload")
    return (name, address) if isinstance(name, str) and isinstance(address, str) else None


def _member(value: Any, name: str) -> Any:
    """A member, or None: what was tampered with may be anything."""
    return value.get(name) if isinstance(value, Mapping) else None
