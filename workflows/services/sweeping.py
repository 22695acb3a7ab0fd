"""Sweeping: offer due work again, tenant by tenant; and do it here when nobody takes it."""

import time
from collections.abc import Mapping

import structlog

from chimeway_py.nudges import Lane, offer
from tenants.sql import fetch
from workflows.digests.turn import digests_turn
from workflows.events.turn import events_turn
from workflows.services.lanes import Turn, other_due, other_turns
from workflows.services.turn import engine_turn, work_turn
from workflows.services.young_tables import analyze_grown_tables

log = structlog.get_logger(__name__)

_DUE = """
SELECT lane, tenant_id FROM tenants_with_due_work() UNION SELECT 'engine', tenant_id FROM tenants_releasing_runs()
UNION SELECT 'events', tenant_id FROM tenants_with_due_events()
UNION SELECT 'digests', tenant_id FROM tenants_with_due_digests()
"""
COUNT_EVERY = 5  # sweeps
TURNS: Mapping[Lane, Turn] = {
    "engine": engine_turn,
    "work": work_turn,
    "events": events_turn,
    "digests": digests_turn,
}


def due_work() -> list[tuple[Lane, int]]:
    """(lane, tenant id) of everything that is due now."""
    return [(lane, tenant_id) for lane, tenant_id in fetch(_DUE + other_due(), [])]


def offer_due_work() -> int:
    """Nudge for everything that is due; how many nudges that were. Any number of sweepers may do so at once."""
    due = due_work()
    for lane, tenant_id in due:
        offer(lane, tenant_id)
    return len(due)


class Sweeper:
    """Sweeps in a process of its own. What stays due for `patience` seconds although it was offered, it does itself."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._due_since: dict[tuple[Lane, int], float] = {}
        self._rounds = 0

    def sweep(self) -> int:
        """One round; how many turns it took itself."""
        now = time.monotonic()
        self._due_since = {name: self._due_since.get(name, now) for name in due_work()}
        taken = 0
        for (lane, tenant_id), since in self._due_since.items():
            offer(lane, tenant_id)
            if now - since >= self.patience:
                log.info("sweeper_works", lane=lane, tenant_id=tenant_id, due_for=round(now - since, 1))
                turn = TURNS.get(lane) or other_turns()[lane]
                turn(tenant_id=tenant_id)
                taken += 1
        self._rounds += 1
        if self._rounds % COUNT_EVERY == 0:
            analyze_grown_tables()
        return taken
