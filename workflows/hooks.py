"""Hooks for code in the same process: told of what happened to runs, after the commit and never inside.

A hook sees names, ids and states, never a payload. It is told once for each transition that this process committed, but
for the one that creates a run. A process that dies right after the commit tells nobody: what must not be missed is read
from the trace.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One committed transition. `type` is `run.<state>` when the run changed its state, else `run.noted`."""

    type: str
    tenant_id: int
    run: str
    workflow: str
    seq: int
    step: str
    from_state: str
    to_state: str
    reason: str
    occurred_at: datetime


Handler = Callable[[RunEvent], None]
_handlers: list[Handler] = []


def on_event(handler: Handler) -> Handler:
    """Call `handler` with every event of this process from now on, in order. Usable as a decorator."""
    _handlers.append(handler)
    return handler


def forget(handler: Handler) -> None:
    """Do not call it any more. Raises ValueError when it was not to be called."""
    _handlers.remove(handler)


def is_anybody_listening() -> bool:
    """Whether making events is worth the while."""
    return bool(_handlers)


def tell_after_commit(events: Iterable[RunEvent]) -> None:
    """Tell every handler, once the transaction has committed. One that fails is logged and keeps nobody else."""
    told = list(events)
    transaction.on_commit(lambda: _tell(told), robust=True)


def _tell(events: list[RunEvent]) -> None:
    for handler in tuple(_handlers):
        for event in events:
            try:
                handler(event)
            except Exception as error:
                log.warning("event_handler_failed", type=event.type, seq=event.seq, error=type(error).__name__)
