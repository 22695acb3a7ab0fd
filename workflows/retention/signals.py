"""Pruning signals: names, values and verdicts go; what tells a duplicate stays for ever."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tenants.scope import tenant_scope
from tenants.sql import execute, fetch
from workflows.models.retention import Kept, RetentionPolicy
from workflows.retention.registry import Authority, Batch, Measure, Part, register_pruner

BATCH = 500
# A signal that a live run keeps for a later wait is not over, and neither is one that nobody has routed.
_OVER = """
s.tenant_id = %(tenant)s AND s.received_at < %(before)s AND s.pruned_at IS NULL AND s.routed_at IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM workflows_signalverdict v
    WHERE v.tenant_id = s.tenant_id AND v.signal_id = s.id AND v.verdict = 'buffered')
"""
_HELD = """
EXISTS (SELECT 1 FROM workflows_legalhold h WHERE h.tenant_id = s.tenant_id AND h.released_at IS NULL AND (
    (h."on" = 'subject' AND s.subject <> '' AND h.value = s.subject) OR EXISTS (
        SELECT 1 FROM workflows_signalverdict v
          JOIN workflows_run r ON r.tenant_id = v.tenant_id AND r.id = v.run_id
         WHERE v.tenant_id = s.tenant_id AND v.signal_id = s.id AND (h."on", h.value) IN (
            ('run', r.public_id::text), ('subject', r.subject), ('definition', r.definition_key)))))
"""
_MEASURE = f"""
SELECT count(*) FILTER (WHERE NOT held), count(*) FILTER (WHERE held), min(received_at) FILTER (WHERE NOT held),
       coalesce(sum(hashtextextended(id::text, 0)) FILTER (WHERE NOT held), 0)::text
  FROM (SELECT s.id, s.received_at, {_HELD} AS held FROM signals_app_signal s WHERE {_OVER}) s
"""  # noqa: S608
_NEXT = f"""
SELECT s.id FROM signals_app_signal s WHERE {_OVER} AND NOT {_HELD} AND s.id > %(after)s ORDER BY s.id LIMIT {BATCH}
"""  # noqa: S608
_LOCK = f"""
SELECT s.id FROM signals_app_signal s WHERE s.id = ANY(%(ids)s) AND {_OVER} AND NOT {_HELD}
 ORDER BY s.id FOR NO KEY UPDATE OF s
"""  # noqa: S608
_STRIP = """
UPDATE signals_app_signal SET subject = '', correlation = '{}', payload_sha = NULL, verdict_context = '{}',
       pruned_at = clock_timestamp() WHERE tenant_id = %s AND id = ANY(%s)
"""
_KEYS = "DELETE FROM signals_app_signalkey WHERE tenant_id = %s AND signal_id = ANY(%s)"
_VERDICTS = "DELETE FROM workflows_signalverdict WHERE tenant_id = %s AND signal_id = ANY(%s)"
_LEFT = """
SELECT coalesce(min(id) - 1, %s) FROM signals_app_signal
 WHERE tenant_id = %s AND id > %s AND id <= %s AND pruned_at IS NULL
"""


class SignalPruner:
    """Empties signals in place, oldest first."""

    def measure(self, tenant_id: int, part: Part) -> Measure:
        """How many there are."""
        return Measure(*fetch(_MEASURE, _asked(tenant_id, part))[0])

    def prepare(self, tenant_id: int, part: Part, cursor: Any) -> Batch:
        """The next, from where the last round found everything pruned."""
        with tenant_scope(tenant_id):
            after = _looked_through(tenant_id) if cursor is None else cursor
            ids = [row[0] for row in fetch(_NEXT, _asked(tenant_id, part) | {"after": after})]
        return Batch(ids, ids[-1] if len(ids) == BATCH else None)

    def take(self, tenant_id: int, part: Part, batch: Batch, authority: Authority) -> Mapping[str, int]:
        """Empty them, and forget how they could be found and what they meant to each run."""
        asked = _asked(tenant_id, part) | {"ids": list(batch.ids)}
        ids = [row[0] for row in fetch(_LOCK, asked)]
        keys, verdicts = execute(_KEYS, [tenant_id, ids]), execute(_VERDICTS, [tenant_id, ids])
        execute(_STRIP, [tenant_id, ids])
        _look_from(tenant_id, batch.ids[-1])
        return {"signal": len(ids), "signal_key": keys, "verdict": verdicts}


def register_all() -> None:
    """Make it known."""
    register_pruner(Kept.SIGNALS, SignalPruner())


def _asked(tenant_id: int, part: Part) -> dict[str, Any]:
    return asdict(part) | {"tenant": tenant_id}


def _looked_through(tenant_id: int) -> int:
    policies = RetentionPolicy.objects.filter(tenant_id=tenant_id, what=Kept.SIGNALS)
    return policies.values_list("looked_through", flat=True).first() or 0


def _look_from(tenant_id: int, last: int) -> None:
    """Signals stay as rows: remember up to where none is left to prune, so that no round walks over them again."""
    after = _looked_through(tenant_id)
    through = fetch(_LEFT, [last, tenant_id, after, last])[0][0]
    RetentionPolicy.objects.filter(tenant_id=tenant_id, what=Kept.SIGNALS).update(looked_through=through)
