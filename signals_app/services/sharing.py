"""Sharing a transaction: signals of one source that come at the same moment are accepted together.

Whoever finds nobody at work begins at once, alone, and waits for nobody. Those who come meanwhile queue up; the first
of them takes the whole queue as soon as the work before is committed. So a transaction grows with the load and costs
nothing without it. Each caller gets its answer after its signal is committed. When the transaction of several fails,
each of them tries alone, so that one's fault is only its own.
"""

import threading

from signals_app.services.intake import Receipt, accept_signals
from signals_app.services.new_signal import NewSignal

Key = tuple[int, str]  # tenant and source
_lock = threading.Lock()
_queues: dict[Key, list["_Caller"]] = {}  # of those for whom somebody is at work


class _Caller:
    """One signal and the thread that waits for its receipt."""

    __slots__ = ("is_called", "queue", "receipt", "signal")

    def __init__(self, signal: NewSignal) -> None:
        self.signal = signal
        self.receipt: Receipt | None = None
        self.queue: list[_Caller] = []  # whom it works for, when it is its turn
        self.is_called = threading.Lock()
        self.is_called.acquire()


def accept_shared(*, tenant_id: int, signal: NewSignal) -> Receipt:
    """As `accept_signals` for one signal, in a transaction of this call. Raises the same."""
    caller, key = _Caller(signal), (tenant_id, signal.source)
    with _lock:
        queue = _queues.get(key)
        if queue is None:
            _queues[key] = []
            caller.queue = [caller]
        else:
            queue.append(caller)
    if queue is not None:
        caller.is_called.acquire()
    try:
        if len(caller.queue) > 1:
            _accept(tenant_id, caller.queue)
        if caller.receipt is None:
            [caller.receipt] = accept_signals(tenant_id=tenant_id, signals=[signal])
        return caller.receipt
    finally:
        if caller.queue:
            _pass_on(key, caller)


def _accept(tenant_id: int, queue: list[_Caller]) -> None:
    """Accept what all of them have; those without a receipt afterwards try alone and learn what is wrong."""
    try:
        receipts = accept_signals(tenant_id=tenant_id, signals=[one.signal for one in queue])
    except Exception:
        return
    for one, receipt in zip(queue, receipts, strict=True):
        one.receipt = receipt


def _pass_on(key: Key, worker: _Caller) -> None:
    """Let the first of those who came meanwhile work for them, and wake those who were worked for."""
    with _lock:
        queue = _queues[key]
        if queue:
            _queues[key] = []
            queue[0].queue = queue
            queue[0].is_called.release()
        else:
            del _queues[key]
    for one in worker.queue:
        if one is not worker:
            one.is_called.release()
