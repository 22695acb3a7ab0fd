"""Keeping a lease alive while slow work is under way: a thread beside it renews it every third of its length.

Not for ever: work that has not returned after `WORK_SECONDS` loses its claim, so that another worker tries again, and a
worker whose work does not return even then leaves (`chimeway_py.watchdog`).
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from chimeway_py import progress
from workflows.services.work import renew_lease
from workflows.steps.base import Claim

log = structlog.get_logger(__name__)

WORK_SECONDS = 120.0  # every channel and kind has limits of its own below this


@contextmanager
def kept_alive(claim: Claim) -> Iterator[None]:
    """Renew the claim's lease until the block ends."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(claim, done), name="lease", daemon=True)
    thread.start()
    try:
        with progress.expected_within(WORK_SECONDS):
            yield
    finally:
        done.set()


def _renew(claim: Claim, done: threading.Event) -> None:
    ends_at = time.monotonic() + WORK_SECONDS
    try:
        while not done.wait(settings.LEASE_SECONDS / 3):
            if time.monotonic() >= ends_at:
                log.error("work_never_returned", step_run_id=claim.step_run_id, attempt=claim.attempt_number)
                return
            try:
                if not renew_lease(claim=claim):
                    return
            except (
                DatabaseError
            ) as error:  # the next round tries again; the lease may run out meanwhile, and the fence holds
                log.warning("lease_not_renewed", step_run_id=claim.step_run_id, error=type(error).__name__)
                close_old_connections()
    finally:
        connection.close()
