"""Proving the trace: every line is there and unchanged, every move was allowed, and folding gives the stored state."""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import fetch, stream
from workflows.errors import RunNotFound
from workflows.inspection import Fault, FaultCode, Inspection, StoredRun, TraceLine
from workflows.models import Run
from workflows.standing import STANDING, STANDS_IN, Standing
from workflows.worked import WORKS, works

MOST_FAULTS = 100  # that are shown of one run
RUNS = 200  # runs in one statement and one transaction, so that no snapshot is held for long

# One statement sees runs and traces at one moment: the engine may go on meanwhile.
_TRACES = f"""
SELECT r.id, r.public_id, r.state, r.step, r.visits, r.status_reason, r.status_context, r.terminal_reason,
       r.pending_signals, r.seq, r.revision, r.chain_head, r.origins,
       (SELECT jsonb_object_agg(a.name, encode(a.payload_sha, 'hex')) FROM workflows_answer a
         WHERE a.tenant_id = r.tenant_id AND a.run_id = r.id AND a.payload_sha IS NOT NULL),
       {STANDING},
       CASE WHEN row_number() OVER (PARTITION BY r.id ORDER BY t.seq) = 1 THEN r.works END,
       t.seq, t.step, t.visit, t.delivery, t.cause, t.cause_ref, t.from_state, t.to_state, t.reason, t.context,
       t.occurred_at, t.prev_hash, t.hash
  FROM (SELECT *, {WORKS} AS works FROM workflows_run r
         WHERE tenant_id = %s AND id > %s AND id <= coalesce(%s, id) ORDER BY id LIMIT %s) r
{STANDS_IN}  LEFT JOIN workflows_transition t ON t.tenant_id = r.tenant_id AND t.run_id = r.id
 ORDER BY r.id, t.seq
"""  # noqa: S608
_STANDING = 14  # columns before those of `Standing`
_WORKS = _STANDING + len(Standing.__slots__)
_WIDTH = _WORKS + 1
_ORPHANS = """
SELECT t.run_id, min(t.seq) FROM workflows_transition t
 WHERE t.tenant_id = %s
   AND NOT EXISTS (SELECT 1 FROM workflows_run r WHERE r.tenant_id = t.tenant_id AND r.id = t.run_id)
 GROUP BY t.run_id ORDER BY t.run_id
"""

Progress = Callable[[int, int], None]


def verify_trace(
    *, tenant_id: int, public_id: uuid.UUID | None = None, progress: Progress | None = None
) -> Iterator[Fault]:
    """What is wrong with the traces of one run, or of all: each fault names run and seq. Nothing means intact.

    Read in batches, in memory that does not grow with the tenant; after each batch `progress(runs, transitions)` is
    told the totals. Raises `RunNotFound` at once.
    """
    if public_id is None:
        return _verify(tenant_id, 0, None, progress)
    with tenant_scope(tenant_id):
        run_id = Run.objects.for_tenant(tenant_id).filter(public_id=public_id).values_list("id", flat=True).first()
    if run_id is None:
        raise RunNotFound("No such run.")
    return _verify(tenant_id, run_id - 1, run_id, progress)


@dataclass(frozen=True, slots=True)
class Verified:
    """What a proof of one trace found: the faults, the first hundred at most, and how many transitions were read."""

    public_id: uuid.UUID
    lines: int
    faults: tuple[Fault, ...]

    @property
    def is_intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def verify_run(*, tenant_id: int, public_id: uuid.UUID) -> Verified:
    """Prove the trace of one run. Raises `RunNotFound`."""
    read = [0]
    found = verify_trace(tenant_id=tenant_id, public_id=public_id, progress=lambda _, lines: read.append(lines))
    faults = list(found)  # to the end, or not every line was read
    return Verified(public_id, read[-1], tuple(faults[:MOST_FAULTS]))


def _verify(tenant_id: int, after: int, last: int | None, progress: Progress | None) -> Iterator[Fault]:
    runs = lines = 0
    while True:
        batch = _inspect(tenant_id, after, last)
        yield from batch.faults
        runs, lines = runs + batch.runs, lines + batch.lines
        if progress is not None:
            progress(runs, lines)
        if batch.runs < RUNS:
            break
        after = batch.last_id
    if last is None:
        yield from _orphans(tenant_id)


@dataclass(slots=True)
class _Batch:
    last_id: int
    runs: int = 0
    lines: int = 0
    faults: list[Fault] = field(default_factory=list)


def _inspect(tenant_id: int, after: int, last: int | None) -> _Batch:
    """The next runs, read in one transaction that has ended when their faults are told."""
    batch = _Batch(after)
    with tenant_scope(tenant_id):
        rows = stream(_TRACES, [tenant_id, after, last, RUNS])
        for run_id, own in groupby(rows, key=itemgetter(0)):
            batch.last_id, batch.runs = run_id, batch.runs + 1
            _inspect_run(tenant_id, batch, own)
    return batch


def _inspect_run(tenant_id: int, batch: _Batch, rows: Iterator[tuple[Any, ...]]) -> None:
    first = next(rows)
    standing, done = Standing(*first[_STANDING:_WORKS]), works(first[_WORKS])
    inspection = Inspection(tenant_id, StoredRun(*first[1:_STANDING], standing=standing, works=done))
    for row in chain([first], rows):
        if row[_WIDTH] is not None:
            batch.lines += 1
            inspection.take(TraceLine(*row[_WIDTH:]))
    batch.faults += inspection.finish()


def _orphans(tenant_id: int) -> Iterator[Fault]:
    """Lines of runs that are gone: their public id went with them."""
    with tenant_scope(tenant_id):
        rows = fetch(_ORPHANS, [tenant_id])
    for run_id, seq in rows:
        yield Fault(f"row {run_id}", seq, FaultCode.RUN_MISSING, "The trace is there and its run is gone.")
