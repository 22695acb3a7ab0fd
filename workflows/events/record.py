"""Writing events, in the transaction of what happened: one statement, whatever the number of rows.

What a subscription of the tenant wants is written with the change, and so is what is owed to each. So an event is
committed with its change or not at all, and the rows that are due are the queue: no reader with a cursor can walk past
a writer that commits late. For a tenant without subscriptions the statement that makes the change looks at an index
that is empty for it, and that is all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chimeway_py.nudges import nudge_after_commit
from tenants.sql import execute, fetch
from workflows.events.types import EventType, by_move
from workflows.states import UNDOING
from workflows.store.chain import canonical

_KINDS = ", ".join(f"('{start}', '{end}', '{type_}')" for (start, end), type_ in by_move().items())
_UNDOING = ", ".join(sorted(UNDOING))
#: Whether the tenant has a subscription, enabled or not, as an expression.
IS_WATCHED = "EXISTS (SELECT 1 FROM workflows_eventsubscription WHERE tenant_id = %s)"
_RECORD = """
WITH happened AS (
    INSERT INTO workflows_event (tenant_id, public_id, type, run_public_id, data, occurred_at)
    SELECT m.tenant_id, gen_random_uuid(), m.type, m.run_public_id, m.data, m.occurred_at FROM ({source}) m
     WHERE EXISTS (SELECT 1 FROM workflows_eventsubscription s
                    WHERE s.tenant_id = m.tenant_id AND (s.types = '{{}}' OR m.type = ANY (s.types)))
     ORDER BY m.position RETURNING tenant_id, id, type)
INSERT INTO workflows_eventdispatch
    (tenant_id, event_id, subscription_id, status, tries, attempts_made, fence, due_at, created_at)
SELECT h.tenant_id, h.id, s.id, 'owed', 0, 0, 0, clock_timestamp(), clock_timestamp()
  FROM happened h JOIN workflows_eventsubscription s
    ON s.tenant_id = h.tenant_id AND s.enabled AND (s.types = '{{}}' OR h.type = ANY (s.types))
 ORDER BY h.id
"""
_MOVES = f"""
SELECT t.tenant_id, k.type, r.public_id AS run_public_id, t.occurred_at, (t.run_id, t.seq) AS position,
       jsonb_build_object('run_id', r.public_id, 'workflow', r.definition_key, 'seq', t.seq, 'step', t.step,
                          'from_state', t.from_state, 'state', t.to_state, 'reason', t.reason)
       || CASE WHEN t.reason = ANY('{{{_UNDOING}}}') THEN jsonb_strip_nulls(jsonb_build_object(
               'steps', t.context -> 'steps', 'compensates', t.context -> 'compensates',
               'visit', t.context -> 'visit', 'outcome', t.context -> 'outcome')) ELSE '{{}}' END AS data
  FROM unnest(%s::bigint[], %s::int[]) AS u (run_id, seq)
  JOIN workflows_transition t ON t.tenant_id = %s AND t.run_id = u.run_id AND t.seq = u.seq
  JOIN workflows_run r ON r.tenant_id = t.tenant_id AND r.id = t.run_id
  JOIN (VALUES {_KINDS}) k (from_state, to_state, type) ON (k.from_state, k.to_state) = (t.from_state, t.to_state)
"""  # noqa: S608
_ONE = """
SELECT %s::bigint AS tenant_id, %s::text AS type, NULL::uuid AS run_public_id, clock_timestamp() AS occurred_at,
       1 AS position, %s::jsonb AS data
"""


def recording(source: str) -> str:
    """A statement that records the events of `source`, with the parameters of that.

    `source` gives tenant_id, type, run_public_id, data, occurred_at and position.
    """
    return _RECORD.format(source=source)


_RECORD_MOVES, _RECORD_ONE = recording(_MOVES), recording(_ONE)


def is_watched(tenant_id: int) -> bool:
    """Whether the tenant has a subscription now. Needs its scope."""
    return bool(fetch(f"SELECT {IS_WATCHED}", [tenant_id])[0][0])


def record(tenant_id: int, statement: str, parameters: Sequence[Any]) -> None:
    """Run a statement of `recording`; the workers are told when something is owed now."""
    if execute(statement, parameters):
        nudge_after_commit("events", tenant_id)


def record_moves(tenant_id: int, transitions: Sequence[tuple[Any, ...]]) -> None:
    """Record the events of transitions that were just written, as rows of `store.rows.TRANSITION`."""
    run_ids, seqs = [row[0] for row in transitions], [row[1] for row in transitions]
    record(tenant_id, _RECORD_MOVES, [run_ids, seqs, tenant_id])


def record_event(tenant_id: int, type_: EventType, data: Mapping[str, Any]) -> None:
    """Record one event that is about no run, such as a subscription that was disabled. Needs the tenant's scope."""
    record(tenant_id, _RECORD_ONE, [tenant_id, str(type_), canonical(dict(data))])
