"""The trace of a run: read in order, and folded into the state that it proves. Folding is pure."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from chimeway_py.errors import Invalid, fault
from tenants.scope import tenant_scope
from workflows.errors import RunNotFound
from workflows.models import Run, Transition
from workflows.states import NOTED, TERMINAL, Reason
from workflows.store.reasons import replaced, spoken

MOST_LINES = 1000


@dataclass(frozen=True, slots=True)
class TracePage:
    """Some lines of a trace, oldest first. `next_after` is the `after` of the next page, or None at the end."""

    transitions: tuple[Transition, ...]
    next_after: int | None


def read_trace(*, tenant_id: int, public_id: uuid.UUID, after: int = 0, limit: int = 100) -> TracePage:
    """The transitions of a run with `seq` greater than `after`, at most `limit` (0 to 1000; 0 is an empty page).

    Raises `RunNotFound`, and `Invalid` for an `after` or a `limit` out of range.
    """
    _check_page(after, limit)
    with tenant_scope(tenant_id):
        runs = Run.objects.for_tenant(tenant_id).filter(public_id=public_id)
        run_id = runs.values_list("id", flat=True).first()
        if run_id is None:
            raise RunNotFound("No such run.")
        lines = Transition.objects.filter(tenant_id=tenant_id, run_id=run_id, seq__gt=after).in_order()
        found = in_words(tenant_id, lines[: limit + 1]) if limit else ()
    return TracePage(found[:limit], found[limit - 1].seq if len(found) > limit else None)


def in_words(tenant_id: int, lines: Iterable[Transition]) -> tuple[Transition, ...]:
    """Lines of a trace with what people said instead of its address: to show, not to hash. Needs the tenant's scope."""
    read = tuple(lines)
    words = spoken(tenant_id, sorted({line.run_id for line in read}), [line.context for line in read])
    for line in read if words else ():
        line.context = replaced(line.context, words)
    return read


def _check_page(after: int, limit: int) -> None:
    faults = []
    if not 0 <= limit <= MOST_LINES:
        faults.append(fault("/limit", "bad_limit", f"A whole number from 0 to {MOST_LINES}."))
    if not 0 <= after < 2**31:
        faults.append(fault("/after", "bad_cursor", "The seq of a transition, or 0."))
    if faults:
        raise Invalid("The query is not valid.", faults)


class Line(Protocol):
    """What folding reads of a transition."""

    @property
    def seq(self) -> int: ...  # noqa: D102
    @property
    def step(self) -> str: ...  # noqa: D102
    @property
    def visit(self) -> int: ...  # noqa: D102
    @property
    def from_state(self) -> str: ...  # noqa: D102
    @property
    def to_state(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def context(self) -> Any: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class FoldedState:
    """Where a run stands according to its trace; the names are those of the run's columns."""

    state: str = ""
    step: str = ""
    visits: Mapping[str, int] = field(default_factory=dict)
    status_reason: str = ""
    status_context: Mapping[str, Any] = field(default_factory=dict)
    terminal_reason: str = ""
    pending_signals: int = 0
    seq: int = 0
    revision: int = 0


def fold(transitions: Iterable[Line], start: FoldedState | None = None) -> FoldedState:
    """The state after these transitions, given in order: from nothing, or from `start`, the state before the first."""
    state = start or FoldedState()
    for line in transitions:
        state = _after(state, line)
    return state


def is_note(line: Line) -> bool:
    """Whether a transition only tells something: the run stays where it is and keeps its status."""
    return line.from_state == line.to_state and line.reason in NOTED


def _after(state: FoldedState, line: Line) -> FoldedState:
    moved = replace(
        state,
        state=line.to_state,
        step=line.step,
        visits={**state.visits, line.step: line.visit} if line.step else state.visits,
        pending_signals=_pending_signals(state.pending_signals, line),
        seq=line.seq,
        revision=state.revision + 1,
    )
    if is_note(line):
        return moved
    return replace(
        moved,
        status_reason=line.reason,
        status_context=line.context,
        terminal_reason=_terminal_reason(line.context) if line.to_state in TERMINAL else "",
    )


def _terminal_reason(context: Any) -> str:
    return str(context.get("terminal_reason", "")) if isinstance(context, Mapping) else ""


def _pending_signals(pending: int, line: Line) -> int:
    """A finished run keeps no signal; a buffered one is kept until a wait uses it."""
    if line.to_state in TERMINAL:
        return 0
    return pending + (line.reason == Reason.SIGNAL_BUFFERED) - (line.reason == Reason.EARLY_SIGNAL_USED)
