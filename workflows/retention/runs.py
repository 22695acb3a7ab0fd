"""Pruning ended runs: everything that belongs to them goes, a tombstone stays."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.history.parts import remove_parts
from workflows.models.retention import Kept
from workflows.retention.archive import write_archive
from workflows.retention.holds import RUN_IS_HELD
from workflows.retention.policies import RUNS
from workflows.retention.registry import BATCH, Authority, Batch, Measure, Part, register_pruner

# A run whose work is still owed or in flight (a resend, a compensation, a worker that has not come back) is left for
# another day, and so is one of which nobody knows whether it was undone.
_ENDED = """
r.tenant_id = %(tenant)s AND r.state = %(what)s AND r.finished_at < %(before)s AND NOT EXISTS (
    SELECT 1 FROM workflows_steprun s
     WHERE s.tenant_id = r.tenant_id AND s.run_id = r.id
       AND (s.status IN ('owed', 'running') OR s.undo > 0 AND s.status = 'unknown'))
"""
_MEASURE = f"""
SELECT count(*) FILTER (WHERE NOT held), count(*) FILTER (WHERE held), min(finished_at) FILTER (WHERE NOT held),
       coalesce(sum(hashtextextended(id::text, seq)) FILTER (WHERE NOT held), 0)::text
  FROM (SELECT r.id, r.seq, r.finished_at, {RUN_IS_HELD} AS held FROM workflows_run r WHERE {_ENDED}) r
"""  # noqa: S608
_NEXT = f"""
SELECT r.id, r.finished_at, r.public_id FROM workflows_run r
 WHERE {_ENDED} AND NOT {RUN_IS_HELD} AND (r.finished_at, r.id) > (%(at)s::timestamptz, %(id)s::bigint)
 ORDER BY r.finished_at, r.id LIMIT %(limit)s
"""  # noqa: S608
_LOCK = "SELECT FROM workflows_run WHERE tenant_id = %s AND id = ANY(%s) ORDER BY id FOR UPDATE"
_STILL = f"SELECT r.id FROM workflows_run r WHERE r.id = ANY(%(ids)s) AND {_ENDED} ORDER BY r.id"  # noqa: S608
_BURY = "SELECT id, length FROM bury_runs(%s, %s, %s, %s, %s)"
_FORGET_REPLAYS = """
UPDATE workflows_run SET replayed_from_id = NULL WHERE tenant_id = %s AND replayed_from_id = ANY(%s)
"""
# Digests go with the last run that brought an item. They are found by the index on leaders: these have none any more.
_EMPTY_DIGESTS = """
DELETE FROM workflows_digest d WHERE d.tenant_id = %s AND d.leader_run_id IS NULL AND d.status = 'closed'
   AND NOT EXISTS (SELECT 1 FROM workflows_digestitem i WHERE i.tenant_id = d.tenant_id AND i.digest_id = d.id)
"""
_DELETE = "DELETE FROM workflows_run WHERE tenant_id = %s AND id = ANY(%s)"
_BEGINNING = datetime(1, 1, 2, tzinfo=UTC), 0


class RunPruner:
    """Prunes runs by the state in which they ended."""

    def measure(self, tenant_id: int, part: Part) -> Measure:
        """How many there are, in one statement."""
        return Measure(*fetch(_MEASURE, _asked(tenant_id, part))[0])

    def prepare(self, tenant_id: int, part: Part, cursor: Any) -> Batch:
        """The runs that ended first, in an archive if the part says so."""
        at, after = cursor or _BEGINNING
        with tenant_scope(tenant_id):
            rows = fetch(_NEXT, _asked(tenant_id, part) | {"at": at, "id": after, "limit": BATCH})
        archive = write_archive(tenant_id, str(part.what), [row[2] for row in rows]) if rows and part.archives else ""
        last = (rows[-1][1], rows[-1][0]) if len(rows) == BATCH else None
        return Batch([row[0] for row in rows], last, archive)

    def take(self, tenant_id: int, part: Part, batch: Batch, authority: Authority) -> Mapping[str, int]:
        """Bury them. The database leaves alone what was held meanwhile, and what has no whole trace."""
        execute(_LOCK, [tenant_id, batch.ids])  # somebody may ask for compensation meanwhile: look once more
        asked = _asked(tenant_id, part) | {"ids": batch.ids}
        still = [row[0] for row in fetch(_STILL, asked)]
        buried = fetch(_BURY, [tenant_id, still, authority.who, authority.why, batch.archive])
        ids = [row[0] for row in buried]
        removed = remove_parts(tenant_id, ids)
        execute(_EMPTY_DIGESTS, [tenant_id])
        execute(_FORGET_REPLAYS, [tenant_id, ids])
        execute(_DELETE, [tenant_id, ids])
        told = {"run": len(ids), "transition": sum(row[1] for row in buried), "left": len(batch.ids) - len(ids)}
        return told | removed


def register_all() -> None:
    """Make it known for every state that a run can end in."""
    for what in RUNS:
        register_pruner(Kept(what), RunPruner())


def _asked(tenant_id: int, part: Part) -> dict[str, Any]:
    return asdict(part) | {"tenant": tenant_id, "what": str(part.what)}
