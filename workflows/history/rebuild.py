"""Rebuilding: folding a trace into the state that it proves, and holding that against what is stored."""

import uuid
from dataclasses import dataclass
from typing import Any

from chimeway_py.errors import Conflict, Invalid, fault
from tenants.scope import tenant_scope
from tenants.sql import execute
from workflows.history.reading import lines_after, load_snapshot, stored_run
from workflows.inspection import Fault, FaultCode, Inspection, StoredRun
from workflows.states import TERMINAL
from workflows.store.load import lock_runs
from workflows.store.rows import dumps, next_clock
from workflows.trace import FoldedState, fold

_REPAIR = """
UPDATE workflows_run SET state = %(state)s, step = %(step)s, visits = %(visits)s, status_reason = %(status_reason)s,
    status_context = %(status_context)s, terminal_reason = %(terminal_reason)s, pending_signals = %(pending_signals)s,
    revision = %(revision)s, updated_at = clock_timestamp(),
    finished_at = (SELECT min(occurred_at) FROM workflows_transition
                    WHERE tenant_id = %(tenant_id)s AND run_id = %(id)s AND to_state = ANY(%(ends)s)),
    due_at = CASE WHEN NOT %(ended)s THEN due_at END
 WHERE tenant_id = %(tenant_id)s AND id = %(id)s
"""
_SET_CLOCK = "UPDATE workflows_run SET due_at = %s WHERE tenant_id = %s AND id = %s"


class TraceBroken(Conflict):
    """The trace of the run is not intact, so nothing can be rebuilt from it."""

    code = "trace_broken"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What folding a run's trace gives. `faults` is empty when the trace is intact and the stored state is the same.

    `lines` is how many transitions were read, `snapshot_seq` the line after which reading began (0: the first).
    """

    public_id: uuid.UUID
    state: FoldedState
    faults: tuple[Fault, ...]
    lines: int
    snapshot_seq: int

    @property
    def is_equal(self) -> bool:
        """Whether the stored state is what the trace gives."""
        return not self.faults

    @property
    def is_repairable(self) -> bool:
        """Whether only the stored state is wrong, and the trace itself is whole."""
        return bool(self.faults) and {one.code for one in self.faults} == {FaultCode.WRONG_STATE}


def rebuild_run(*, tenant_id: int, public_id: uuid.UUID, from_start: bool = False) -> Rebuilt:
    """Fold the run's trace and compare, reading on from the last snapshot unless `from_start`. Writes nothing.

    A snapshot is never believed against the trace: when what follows from it does not end in the stored state and
    chain head, the trace is read from its first line. Raises `RunNotFound`.
    """
    with tenant_scope(tenant_id):
        run_id, stored = stored_run(tenant_id, public_id)
        start = None if from_start else load_snapshot(tenant_id, run_id, stored.seq)
        rebuilt = _fold(tenant_id, run_id, stored, *(start or ()))
        if start is not None and rebuilt.faults:
            rebuilt = _fold(tenant_id, run_id, stored)
        return rebuilt


def state_at(*, tenant_id: int, public_id: uuid.UUID, seq: int) -> FoldedState:
    """Where the run stood after line `seq` of its trace. Raises `RunNotFound`, and `Invalid` for no such line."""
    with tenant_scope(tenant_id):
        run_id, stored = stored_run(tenant_id, public_id)
        if not 1 <= seq <= stored.seq:
            raise Invalid("No such line.", [fault("/seq", "bad_cursor", f"A seq from 1 to {stored.seq}.")])
        start = load_snapshot(tenant_id, run_id, seq)
        state = start[0] if start else FoldedState()
        return fold(lines_after(tenant_id, run_id, state.seq, seq), state)


def repair_run(*, tenant_id: int, public_id: uuid.UUID) -> Rebuilt:
    """Write what the trace gives over a stored state that differs from it; what was found before.

    The trace is not touched, and a run that is as it should be is left alone. Raises `RunNotFound`, and `TraceBroken`
    when the trace itself has faults: then nobody knows what to write.
    """
    with tenant_scope(tenant_id):
        run_id, stored = stored_run(tenant_id, public_id, locked=True)
        rebuilt = _fold(tenant_id, run_id, stored)
        if rebuilt.is_repairable:
            execute(_REPAIR, _as_columns(rebuilt.state) | {"tenant_id": tenant_id, "id": run_id})
            runs = lock_runs(tenant_id, [run_id]).runs
            execute(_SET_CLOCK, [next_clock(runs[run_id]), tenant_id, run_id])
        elif rebuilt.faults:
            raise TraceBroken(detail=[{"seq": one.seq, "code": str(one.code)} for one in rebuilt.faults])
        return rebuilt


def _fold(tenant_id: int, run_id: int, stored: StoredRun, folded: FoldedState | None = None, *head: bytes) -> Rebuilt:
    inspection = Inspection(tenant_id, stored, folded, *head)
    start = inspection.folded.seq
    lines = 0
    for line in lines_after(tenant_id, run_id, start, stored.seq):
        inspection.take(line)
        lines += 1
    return Rebuilt(stored.public_id, inspection.folded, tuple(inspection.finish()), lines, start)


def _as_columns(state: FoldedState) -> dict[str, Any]:
    columns = {name: getattr(state, name) for name in FoldedState.__dataclass_fields__ if name != "seq"}
    return columns | {
        "visits": dumps(dict(state.visits)),
        "status_context": dumps(dict(state.status_context)),
        "ended": state.state in TERMINAL,
        "ends": list(map(str, TERMINAL)),
    }
