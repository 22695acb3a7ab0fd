"""Snapshots: taken where a trace has grown long, so that rebuilding it does not begin at its first line."""

import uuid
from dataclasses import asdict

import structlog

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.history.rebuild import TraceBroken, rebuild_run
from workflows.models import Snapshot
from workflows.store.rows import dumps

log = structlog.get_logger(__name__)

#: A snapshot pays when it saves more than it costs: reading, checking and folding a line takes about 40 µs, taking and
#: writing a snapshot 5 to 10 ms. After 200 lines one rebuild has earned it, and none reads for more than 10 ms.
EVERY = 200
_DUE = """
SELECT r.public_id FROM workflows_run r
 WHERE r.tenant_id = %s AND r.seq >= 200 AND r.seq - coalesce((SELECT max(s.seq) FROM workflows_snapshot s
     WHERE s.tenant_id = r.tenant_id AND s.run_id = r.id), 0) >= %s
 ORDER BY r.id LIMIT %s
"""
_WRITE = """
INSERT INTO workflows_snapshot (tenant_id, run_id, seq, state, hash, taken_at)
SELECT tenant_id, run_id, seq, %s, hash, clock_timestamp() FROM workflows_transition
 WHERE tenant_id = %s AND seq = %s AND run_id = (SELECT id FROM workflows_run WHERE tenant_id = %s AND public_id = %s)
    ON CONFLICT (tenant_id, run_id, seq) DO NOTHING
"""


def take_snapshot(*, tenant_id: int, public_id: uuid.UUID) -> Snapshot:
    """The snapshot of where the run stands now. Raises `RunNotFound`, or `TraceBroken`, keeping nothing wrong."""
    with tenant_scope(tenant_id):
        rebuilt = rebuild_run(tenant_id=tenant_id, public_id=public_id)
        if rebuilt.faults:
            raise TraceBroken
        state = rebuilt.state
        execute(_WRITE, [dumps(asdict(state)), tenant_id, state.seq, tenant_id, public_id])
        return Snapshot.objects.get(tenant_id=tenant_id, run__public_id=public_id, seq=state.seq)


def take_snapshots(*, tenant_id: int, limit: int = 200) -> int:
    """Take the snapshots that pay: of runs whose trace has grown by `EVERY` lines since the last; how many."""
    with tenant_scope(tenant_id):
        due = [row[0] for row in fetch(_DUE, [tenant_id, EVERY, limit])]
    return sum(_taken(tenant_id, public_id) for public_id in due)


def take_snapshots_everywhere() -> int:
    """Take what pays for every tenant; how many."""
    tenants = [row[0] for row in fetch("SELECT tenant_id FROM tenants_with_long_runs()", [])]
    return sum(take_snapshots(tenant_id=tenant_id) for tenant_id in tenants)


def _taken(tenant_id: int, public_id: uuid.UUID) -> bool:
    try:
        take_snapshot(tenant_id=tenant_id, public_id=public_id)
    except TraceBroken:
        log.warning("snapshot_not_taken", tenant_id=tenant_id, run=str(public_id), why="trace_broken")
        return False
    return True
