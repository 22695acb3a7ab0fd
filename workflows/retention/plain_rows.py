"""Pruning rows that stand for themselves: they are deleted, oldest first."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.retention.registry import Authority, Batch, Measure, Part

BATCH = 500
_MEASURE = """
SELECT count(*) FILTER (WHERE NOT held), count(*) FILTER (WHERE held), min(created_at) FILTER (WHERE NOT held),
       coalesce(sum(hashtextextended(id::text, 0)) FILTER (WHERE NOT held), 0)::text
  FROM (SELECT x.id, x.created_at, {held} AS held FROM {table} x
         WHERE x.tenant_id = %(tenant)s AND x.created_at < %(before)s) x
"""
_NEXT = """
SELECT x.id FROM {table} x WHERE x.tenant_id = %(tenant)s AND x.created_at < %(before)s AND x.id > %(after)s
   AND NOT {held} ORDER BY x.id LIMIT %(limit)s
"""
_DELETE = "DELETE FROM {table} x WHERE x.tenant_id = %(tenant)s AND x.id = ANY(%(ids)s) AND NOT {held}"


@dataclass(frozen=True, slots=True)
class RowPruner:
    """Prunes a table with a `created_at`. `held` is SQL that says whether a legal hold keeps row `x`."""

    kind: str
    table: str
    held: str = "false"

    def measure(self, tenant_id: int, part: Part) -> Measure:
        """How many there are."""
        return Measure(*fetch(self._sql(_MEASURE), asdict(part) | {"tenant": tenant_id})[0])

    def prepare(self, tenant_id: int, part: Part, cursor: Any) -> Batch:
        """The oldest that nobody holds."""
        asked = asdict(part) | {"tenant": tenant_id, "after": cursor or 0, "limit": BATCH}
        with tenant_scope(tenant_id):
            ids = [row[0] for row in fetch(self._sql(_NEXT), asked)]
        return Batch(ids, ids[-1] if len(ids) == BATCH else None)

    def take(self, tenant_id: int, part: Part, batch: Batch, authority: Authority) -> Mapping[str, int]:
        """Delete them, but for what is held by now."""
        return {self.kind: execute(self._sql(_DELETE), {"tenant": tenant_id, "ids": list(batch.ids)})}

    def _sql(self, statement: str) -> str:
        return statement.format(table=self.table, held=self.held)
