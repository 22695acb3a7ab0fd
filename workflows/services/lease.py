"""Keeping a lease alive while slow work is under way: a thread beside it renews it every third of its length."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.conf import settings
from django.db import DatabaseError, close_old_connections, connection

from workflows.services.work import renew_lease
from workflows.steps.base import Claim

log = structlog.get_logger(__name__)


@contextmanager
def kept_alive(claim: Claim) -> Iterator[None]:
    """Renew the claim's lease until the block ends."""
    done = threading.Event()
    thread = threading.Thread(target=_renew, args=(claim, done), name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()


def _renew(claim: Claim, done: threading.Event) -> None:
    try:
        while not done.wait(settings.LEASE_SECONDS / 3):
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
