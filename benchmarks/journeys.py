"""Runs and signals through the public services, from the threads of one client. Django has to be set up."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from django.db import connections

from benchmarks.seeding import marker
from signals_app.services import NewSignal, accept_signals
from tenants.services import create_tenant
from workflows.services.advance import advance_due
from workflows.services.definitions import ensure_definition
from workflows.services.route import route_signals
from workflows.services.start import NewRun, start_runs

DEFINITION = "park"
SIGNAL = "go"
_TRIVIAL = {"kind": "branch", "when": [{"if": {"path": "data.x", "eq": "nobody"}, "then": "complete"}]}
DOCUMENT: dict[str, Any] = {
    "key": DEFINITION,
    "correlation": ["k"],
    "steps": [
        {"key": "first", **_TRIVIAL},
        {
            "key": "parked",
            "kind": "wait",
            "for": "P30D",
            "signals": [{"name": SIGNAL, "match": {"k": "run.correlation.k"}}],
            "on_timeout": {"stop": "timed_out"},
        },
        {"key": "last", **_TRIVIAL},
    ],
}

BRIEF: dict[str, Any] = {  # ends by itself, without a signal
    "key": "brief",
    "correlation": ["k"],
    "steps": [
        {"key": "first", **_TRIVIAL},
        {"key": "rest", "kind": "wait", "for": "PT1M"},
        {"key": "last", **_TRIVIAL},
    ],
}


def new_tenant(*documents: Mapping[str, Any]) -> int:
    """A tenant of its own with these definitions published, or the usual one; its id."""
    tenant = create_tenant(slug=f"bench-{uuid.uuid4().hex[:20]}")
    for document in documents or [DOCUMENT]:
        ensure_definition(tenant_id=tenant.pk, document=document)
    return int(tenant.pk)


def mould(tenant_id: int, definition: str = DEFINITION, by: str = "k", **start: Any) -> tuple[uuid.UUID, str]:
    """A run that others can be cast from, as far as the engine brings it now: its public id and its own key."""
    key = marker()
    new = NewRun(subject=f"user-{key}", **{"correlation": {by: key}, **start})
    (started,) = start_runs(tenant_id=tenant_id, definition_key=definition, runs=[new])
    drain(tenant_id)
    return started.public_id, key


def start_moulds(tenant_id: int, definition: str, datas: Iterable[Mapping[str, Any]]) -> list[uuid.UUID]:
    """Runs to cast from, one for each `data`, not yet advanced; their public ids."""
    new = [NewRun(subject=f"user-{key}", correlation={"k": key}, data=data) for key, data in _marked(datas)]
    return [started.public_id for started in start_runs(tenant_id=tenant_id, definition_key=definition, runs=new)]


def _marked(datas: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    return ((marker(), data) for data in datas)


def drain(tenant_id: int, now: datetime | None = None) -> None:
    """Let the engine do here what is due, or will be at that time."""
    while route_signals(tenant_id=tenant_id) + advance_due(tenant_id=tenant_id, now=now):
        pass


class Client:
    """Starts runs and sends signals of one tenant, `batch` in each call and commit, from `threads` threads."""

    def __init__(self, tenant_id: int, *, batch: int, threads: int) -> None:
        self.tenant_id, self.batch, self.threads = tenant_id, batch, threads

    def start(self, keys: Sequence[str]) -> dict[str, uuid.UUID]:
        """One run for each key; the public ids."""
        ids: dict[str, uuid.UUID] = {}
        self._share(keys, lambda some: ids.update(start_some(self.tenant_id, some)))
        return ids

    def signal(self, keys: Sequence[str]) -> None:
        """One signal for each key."""
        self._share(keys, lambda some: signal_some(self.tenant_id, some))

    def _share(self, keys: Sequence[str], call: Callable[[Sequence[str]], object]) -> None:
        rest = iter([keys[at : at + self.batch] for at in range(0, len(keys), self.batch)])
        lock = threading.Lock()

        def work() -> None:
            try:
                while some := _next(rest, lock):
                    call(some)
            finally:
                connections.close_all()

        with ThreadPoolExecutor(self.threads) as pool:
            for done in [pool.submit(work) for _ in range(self.threads)]:
                done.result()


def start_some(tenant_id: int, keys: Iterable[str]) -> dict[str, uuid.UUID]:
    """Runs that stand for these keys, started in one call."""
    runs = {key: NewRun(subject=f"user-{key}", correlation={"k": key}) for key in keys}
    started = start_runs(tenant_id=tenant_id, definition_key=DEFINITION, runs=[*runs.values()])
    return {key: one.public_id for key, one in zip(runs, started, strict=True)}


def signal_some(tenant_id: int, keys: Iterable[str]) -> None:
    """Signals to the runs of these keys, sent in one call."""
    accept_signals(tenant_id=tenant_id, signals=[NewSignal(name=SIGNAL, correlation={"k": key}) for key in keys])


def _next(rest: Any, lock: threading.Lock) -> Sequence[str]:
    with lock:
        return next(rest, ())
