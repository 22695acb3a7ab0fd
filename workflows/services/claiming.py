"""Claiming signals: the oldest that nobody else routes, each with the runs that it may mean."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from signals_app.services.payloads import load_payloads
from tenants.sql import Question, Rows
from workflows.engine.facts import Judged, SignalFacts
from workflows.services.signal_starts import VERSIONS, Catalog, catalog_of
from workflows.store.switches import OFF_FOR_ROUTING, ROUTING_SPACE

MOST_RUNS = 500  # runs that one signal, or one batch, may touch in one transaction; the rest follows in the next

# With the runs that each may mean: one index probe per key of each signal, in order of run, from where the last part of
# a very wide signal ended. Seen at the moment of the claim: a run that is committed later looks back after that.
_CLAIM = """
WITH claimed AS MATERIALIZED (
    SELECT id, public_id, name, subject, correlation, received_at, payload_sha, route_cursor, verdict, verdict_reason
      FROM signals_app_signal
     WHERE tenant_id = %(tenant)s AND routed_at IS NULL
       AND (route_after IS NULL OR route_after <= clock_timestamp()) {one}
     ORDER BY id LIMIT %(limit)s FOR NO KEY UPDATE SKIP LOCKED)
SELECT c.*, ARRAY(
    SELECT DISTINCT l.run_id FROM signals_app_signalkey k CROSS JOIN LATERAL (
        SELECT run_id FROM workflows_listener l
         WHERE l.tenant_id = %(tenant)s AND l.name = c.name AND l.key = k.key AND l.run_id > c.route_cursor
           AND l.live AND l.rest <@ c.correlation
         ORDER BY l.run_id LIMIT %(most)s) l
     WHERE k.tenant_id = %(tenant)s AND k.signal_id = c.id ORDER BY l.run_id LIMIT %(most)s)
  FROM claimed c ORDER BY c.id
"""


@dataclass(slots=True)
class Claimed:
    """One signal on its way."""

    facts: SignalFacts
    cursor: int
    said: list[Judged] = field(default_factory=list)  # so far
    runs: list[int] = field(default_factory=list)
    has_more: bool = False


def claiming(tenant_id: int, limit: int, signal_id: int | None = None) -> list[Question]:
    """Lock the oldest signals, and read what the tenant's definitions ask of signals."""
    # In this order: listeners, which are read next, stay as they are from the first statement on.
    return [
        (OFF_FOR_ROUTING, [ROUTING_SPACE, tenant_id, tenant_id]),
        (VERSIONS, [tenant_id]),
        claim(tenant_id, limit, signal_id),
    ]


def claim(tenant_id: int, limit: int, signal_id: int | None = None) -> Question:
    """The oldest signals that are to be routed, or one of them, each with the runs that it may mean."""
    one = "" if signal_id is None else "AND id = %(signal)s"
    given = {"tenant": tenant_id, "limit": limit, "most": MOST_RUNS + 1}
    return _CLAIM.format(one=one), given if signal_id is None else given | {"signal": signal_id}


def claimed_by(tenant_id: int, answers: Sequence[Rows]) -> tuple[Catalog, list[Claimed]]:
    """The tenant's catalog and the signals that were claimed, from the answers to `claiming`."""
    [(_, off)], versions, rows = answers
    catalog = catalog_of(tenant_id, off, versions)
    if not rows:
        return catalog, []
    shas = {bytes(row[6]) for row in rows if row[6] is not None and row[2] in catalog.conditioned}
    payloads = load_payloads(tenant_id, shas) if shas else {}
    return catalog, [_claimed(row, payloads) for row in rows]


def _claimed(row: tuple[Any, ...], payloads: dict[bytes, Any]) -> Claimed:
    sha = bytes(row[6]) if row[6] is not None else None
    facts = SignalFacts(row[0], str(row[1]), row[2], row[3], row[4], row[5], payloads.get(sha, {}) if sha else {})
    said = [Judged(row[8], row[9])] if row[8] else []
    return Claimed(facts, row[7], said, row[10][:MOST_RUNS], has_more=len(row[10]) > MOST_RUNS)


def cut(claimed: Sequence[Claimed]) -> list[Claimed]:
    """The batch, cut where it would touch too many runs. What is cut stays unrouted."""
    taken: list[Claimed] = []
    total = 0
    for one in claimed:
        if taken and total + len(one.runs) > MOST_RUNS:
            break
        total += len(one.runs)
        taken.append(one)
    return taken
