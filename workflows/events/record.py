"""Writing events, in the transaction of what happened: one statement, whatever the number of rows.

The statement that changes something also writes the events that a subscription of the tenant wants, and what is owed
to each. So an event is committed with its change or not at all, and the rows that are due are the queue: no reader
with a cursor can walk past a writer that commits late. For a tenant without subscriptions nothing is read or written.
"""

from collections.abc import Mapping
from typing import Any

from chimeway_py.nudges import nudge_after_commit
from workflows.events.types import EventType, by_move
from workflows.store.chain import canonical
from workflows.store.sql import execute

_KINDS = ", ".join(f"('{start}', '{end}', '{type_}')" for (start, end), type_ in by_move().items())
# `EXISTS` with the parameter alone is asked once and first: without a subscription nothing else is looked at.
_RECORD = """,
happened AS (
    INSERT INTO workflows_event (tenant_id, public_id, type, run_public_id, data, occurred_at)
    SELECT m.tenant_id, gen_random_uuid(), m.type, m.run_public_id, m.data, m.occurred_at FROM ({source}) m
     WHERE EXISTS (SELECT 1 FROM workflows_eventsubscription s WHERE s.tenant_id = %s)
       AND EXISTS (SELECT 1 FROM workflows_eventsubscription s
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
                          'from_state', t.from_state, 'state', t.to_state, 'reason', t.reason) AS data
  FROM changed t JOIN workflows_run r ON r.tenant_id = t.tenant_id AND r.id = t.run_id
  JOIN (VALUES {_KINDS}) k (from_state, to_state, type) ON (k.from_state, k.to_state) = (t.from_state, t.to_state)
"""  # noqa: S608
_GIVEN = """
SELECT tenant_id, type, NULL::uuid AS run_public_id, clock_timestamp() AS occurred_at, 1 AS position, data FROM changed
"""
_ONE = "SELECT %s::bigint AS tenant_id, %s::text AS type, %s::jsonb AS data"


def recording(changed: str, source: str) -> str:
    """A statement that does what `changed` says and records the events that `source` makes of the rows it returns.

    `source` gives tenant_id, type, run_public_id, data, occurred_at and position. Parameters: those of `changed`, then
    the tenant.
    """
    return f"WITH changed AS ({changed}){_RECORD.format(source=source)}"


def recording_moves(insert: str) -> str:
    """The statement that appends transitions, made to tell of them as well. Parameters: its own, then the tenant."""
    return recording(
        f"{insert} RETURNING tenant_id, run_id, seq, step, from_state, to_state, reason, occurred_at", _MOVES
    )


def execute_recording(tenant_id: int, statement: str, parameters: list[Any]) -> None:
    """Run a statement of `recording`; the workers are told when something is owed now."""
    if execute(statement, [*parameters, tenant_id]):
        nudge_after_commit("events", tenant_id)


def record_event(tenant_id: int, type_: EventType, data: Mapping[str, Any]) -> None:
    """Record one event that is about no run, such as a subscription that was disabled. Needs the tenant's scope."""
    execute_recording(tenant_id, _RECORD_ONE, [tenant_id, str(type_), canonical(dict(data))])


_RECORD_ONE = recording(_ONE, _GIVEN)
