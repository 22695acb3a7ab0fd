"""Reading one run and its trace in order, in bounded memory, inside the caller's scope."""

import uuid
from collections.abc import Iterator

from tenants.sql import fetch
from workflows.errors import RunNotFound
from workflows.inspection import StoredRun, TraceLine
from workflows.standing import STANDING, STANDS_IN, Standing
from workflows.trace import FoldedState

LINES = 500  # transitions in one statement

RUN_COLUMNS = (
    "public_id, state, step, visits, status_reason, status_context, terminal_reason, pending_signals, seq, revision, "
    "chain_head, origins"
)
LINE_COLUMNS = (
    "seq, step, visit, delivery, cause, cause_ref, from_state, to_state, reason, context, occurred_at, prev_hash, hash"
)
_NAMES = RUN_COLUMNS.split(", ")
_RUN = f"""
SELECT r.id, {", ".join(f"r.{name}" for name in _NAMES)}, {STANDING}
  FROM workflows_run r {STANDS_IN} WHERE r.tenant_id = %s AND r.public_id = %s
"""  # noqa: S608
_LINES = f"""
SELECT {LINE_COLUMNS} FROM workflows_transition
 WHERE tenant_id = %s AND run_id = %s AND seq > %s AND seq <= %s ORDER BY seq LIMIT %s
"""  # noqa: S608
_SNAPSHOT = """
SELECT s.state, s.hash FROM workflows_snapshot s
  JOIN workflows_transition t ON t.tenant_id = s.tenant_id AND t.run_id = s.run_id AND t.seq = s.seq AND t.hash = s.hash
 WHERE s.tenant_id = %s AND s.run_id = %s AND s.seq <= %s ORDER BY s.seq DESC LIMIT 1
"""


def stored_run(tenant_id: int, public_id: uuid.UUID, *, locked: bool = False) -> tuple[int, StoredRun]:
    """The run's id and what its row says; `locked` until the transaction ends. Raises `RunNotFound`."""
    rows = fetch(_RUN + (" FOR NO KEY UPDATE OF r" if locked else ""), [tenant_id, public_id])
    if not rows:
        raise RunNotFound("No such run.")
    run_id, *said = rows[0]
    return run_id, StoredRun(*said[: len(_NAMES)], standing=Standing(*said[len(_NAMES) :]))


def lines_after(tenant_id: int, run_id: int, after: int, last: int) -> Iterator[TraceLine]:
    """The lines with `seq` greater than `after` and at most `last`, in order, `LINES` of them in memory."""
    while after < last:
        rows = fetch(_LINES, [tenant_id, run_id, after, last, LINES])
        for row in rows:
            yield TraceLine(*row)
        if len(rows) < LINES:
            return
        after = rows[-1][0]


def load_snapshot(tenant_id: int, run_id: int, at: int) -> tuple[FoldedState, bytes] | None:
    """The latest snapshot at line `at` or before it whose line is still in the trace: its state, and that line's hash.

    None when there is no such snapshot.
    """
    rows = fetch(_SNAPSHOT, [tenant_id, run_id, at])
    return (FoldedState(**rows[0][0]), bytes(rows[0][1])) if rows else None
