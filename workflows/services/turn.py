"""Turns: what one nudge makes a worker do for one tenant. Bounded, so that tenants take turns."""

import os
import socket
import threading
import time
from typing import Any

import structlog

from chimeway_py.turns import TURN_SECONDS, go_on
from workflows.errors import StaleAttempt
from workflows.services.advance import advance_due
from workflows.services.firing import fire_due_schedules
from workflows.services.forsaken import end_forsaken
from workflows.services.lease import kept_alive
from workflows.services.lost_work import end_lost_work
from workflows.services.owed import EngineOwes, engine_owes, work_owed
from workflows.services.route import route_signals
from workflows.services.switch_holding import release_held
from workflows.services.work import claim_work, finish_work, perform
from workflows.steps.base import Claim

log = structlog.get_logger(__name__)

# Work that comes one by one is as dear as many times as much: a pass that found few lets more come together. It waits
# once, and then for longer with the place free for other tenants, of which there are as few as there are processes.
FEW = 25  # signals and runs
SHORT = 0.03  # seconds: a part of a very wide signal is one signal, and not little work
GATHER, GATHER_AWAY = 0.004, 0.04  # seconds


def engine_turn(*, tenant_id: int) -> int:
    """Route signals and advance due runs until nothing is left or the turn is over, then start what schedules owe.

    The answer is how many were taken up. Runs that a schedule started are advanced in the turn after.
    """
    ends_at = time.monotonic() + TURN_SECONDS
    total, owes, has_gathered, began = 0, engine_owes(tenant_id), False, time.monotonic()
    while taken := _go_on(tenant_id, owes):
        total += taken
        was_short = time.monotonic() - began < SHORT
        if time.monotonic() >= ends_at:
            go_on("engine", tenant_id)
            break
        owes = engine_owes(tenant_id)
        if taken <= FEW and was_short and (owes.signals or owes.runs):
            if has_gathered:
                go_on("engine", tenant_id, after=GATHER_AWAY)
                break
            time.sleep(GATHER)
            has_gathered = True
        began = time.monotonic()
    return total + (fire_due_schedules(tenant_id=tenant_id) if owes.schedules else 0)


def _go_on(tenant_id: int, owes: EngineOwes) -> int:
    """What most nudges are for comes first."""
    taken = route_signals(tenant_id=tenant_id) if owes.signals else 0
    taken += advance_due(tenant_id=tenant_id) if owes.runs else 0
    return taken + (release_held(tenant_id=tenant_id) if owes.released else 0)


def work_turn(*, tenant_id: int) -> int:
    """Claim and do owed work, one piece at a time, until nothing is due or the turn is over; how many were finished."""
    ends_at = time.monotonic() + TURN_SECONDS
    owed = work_owed(tenant_id)
    if owed.lost:
        end_lost_work(tenant_id=tenant_id)
    if owed.forsaken:
        end_forsaken(tenant_id=tenant_id)
    done = 0
    while owed.due:
        claim = claim_work(tenant_id=tenant_id, worker=worker_name())
        if claim is None:
            break
        with kept_alive(claim):
            outcome = perform(claim)
        try:
            finish_work(claim=claim, outcome=outcome)
            log.info("attempt_finished", outcome=outcome.word, error=outcome.error, **_ids(claim))
        except StaleAttempt as stale:
            log.warning("stale_attempt", met=stale.detail, **_ids(claim))
        done += 1
        if time.monotonic() >= ends_at:
            go_on("work", tenant_id)
            break
    return done


def _ids(claim: Claim) -> dict[str, Any]:
    """What a log line says of an attempt."""
    visit = {"step": claim.step["key"], "visit": claim.visit, "attempt": claim.attempt_number}
    return {"tenant_id": claim.tenant_id, "run_id": claim.run_public_id, **visit}


def worker_name() -> str:
    """Who holds a claim: host, process, thread."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_native_id()}"[:100]
