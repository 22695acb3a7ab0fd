"""Letting runs stand on another version: the column and the listeners that say so. The caller holds their locks."""

from collections.abc import Iterable, Sequence
from typing import Any

from tenants.sql import arrays, execute, insert
from workflows.definitions.document import Document
from workflows.engine.facts import RunFacts
from workflows.engine.matching import listener_keys
from workflows.store import rows

_STAND = "UPDATE workflows_run SET definition_id = %s WHERE tenant_id = %s AND id = ANY(%s)"
_FORGET = """
DELETE FROM workflows_listener t USING (SELECT %s::bigint AS tenant, id FROM unnest(%s::bigint[]) AS u (id) OFFSET 0) u
 WHERE t.tenant_id = u.tenant AND t.run_id = u.id
"""
_LISTENERS = insert("workflows_listener", rows.LISTENER)


def stand_on(tenant_id: int, definition_id: int, run_ids: Sequence[int]) -> None:
    """Let the runs follow this version from now on."""
    execute(_STAND, [definition_id, tenant_id, list(run_ids)])


def listen_anew(tenant_id: int, document: Document, runs: Iterable[tuple[int, RunFacts]]) -> None:
    """Give the runs, as (id, facts), the listeners of this document in place of those that they have."""
    runs = list(runs)
    execute(_FORGET, [tenant_id, [run_id for run_id, _ in runs]])
    listeners: list[tuple[Any, ...]] = [
        (run_id, name, key, rows.dumps(dict(rest)), True)
        for run_id, facts in runs
        for name, key, rest in listener_keys(document, facts)
    ]
    if listeners:
        execute(_LISTENERS, [tenant_id, *arrays(listeners, rows.LISTENER)])
