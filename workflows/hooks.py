"""Hooks for code in the same process: told of what happened to runs and deliveries, after the commit, never inside.

A hook sees names, ids and states, never a payload. It is told once for each change that this process committed, but
for the creation of a run. A process that dies right after the commit tells nobody: what must not be missed is read
from the trace, or from an event subscription.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One committed transition. `type` is one of the types of `workflows.events.types` that begin with `run.`."""

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


@dataclass(frozen=True, slots=True)
class DeliveryEvent:
    """One delivery that settled, or whose end turned out to be another. `type` is `delivery.<status>`."""

    type: str
    tenant_id: int
    delivery: str
    run: str
    workflow: str
    step: str
    visit: int
    channel: str
    status: str
    is_compensation: bool = False  # it undoes the visit


HookEvent = RunEvent | DeliveryEvent
RunHandler = Callable[[RunEvent], None]
DeliveryHandler = Callable[[DeliveryEvent], None]
_handlers: dict[type, list[Callable[[Any], None]]] = {RunEvent: [], DeliveryEvent: []}


def on_event(handler: RunHandler) -> RunHandler:
    """Call `handler` with every event of a run of this process from now on, in order. Usable as a decorator."""
    _handlers[RunEvent].append(handler)
    return handler


def on_delivery_event(handler: DeliveryHandler) -> DeliveryHandler:
    """Call `handler` with every event of a delivery of this process from now on. Usable as a decorator."""
    _handlers[DeliveryEvent].append(handler)
    return handler


def forget(handler: Callable[..., None]) -> None:
    """Do not call it any more. Raises ValueError when it was not to be called."""
    mine = next((handlers for handlers in _handlers.values() if handler in handlers), None)
    if mine is None:
        raise ValueError(handler)
    mine.remove(handler)


def is_anybody_listening(kind: type = RunEvent) -> bool:
    """Whether making events of this kind is worth the while."""
    return bool(_handlers[kind])


def tell_after_commit(events: Iterable[HookEvent]) -> None:
    """Tell every handler, once the transaction has committed. One that fails is logged and keeps nobody else."""
    told = list(events)
    transaction.on_commit(lambda: _tell(told), robust=True)


def _tell(events: list[HookEvent]) -> None:
    for kind, handlers in _handlers.items():
        for handler in tuple(handlers):
            for event in events:
                if isinstance(event, kind):
                    _call(handler, event)


def _call(handler: Callable[[Any], None], event: HookEvent) -> None:
    try:
        handler(event)
    except Exception as error:
        log.warning("event_handler_failed", type=event.type, error=type(error).__name__)
