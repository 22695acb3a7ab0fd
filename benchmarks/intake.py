"""Signals over HTTP, at a web server as it is deployed: signed webhooks one by one, and batches with an API key."""

import argparse
import json
import random
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.http_client import Wire, post, send_all
from benchmarks.meter import family
from benchmarks.report import Check, Report, machine, percentile, say
from benchmarks.stand import Stand
from benchmarks.waiting import wait_until
from chimeway_py.demo.commands import ROOT
from chimeway_py.embedded.memory import LOOPBACK, free_port, is_listening
from chimeway_py.embedded.processes import Child, DidNotStart

SUMMARY = "signed webhooks and batches of signals over HTTP"
QUICK = {"webhooks": 200, "batches": 4, "batch": 50, "verify": 20}
LISTENING: dict[str, Any] = {
    "key": "paid",
    "correlation": ["order_id"],
    "steps": [
        {
            "key": "payment",
            "kind": "wait",
            "for": "P30D",
            "signals": [{"name": "order.paid", "match": {"order_id": "run.correlation.order_id"}}],
            "on_timeout": {"stop": "timed_out"},
        },
        {"key": "last", "kind": "branch", "when": [{"if": {"path": "data.x", "eq": "nobody"}, "then": "complete"}]},
    ],
}
MAPPING = {"name": "type", "external_id": "id", "subject": "user", "correlation": {"order_id": "order"}}
# As in deploy/systemd/chimeway-web.service.
SERVER = ["--worker-class", "chimeway_py.web_worker.Worker", "--workers", "2", "--threads", "8", "--no-control-socket"]
_STORED = "SELECT count(*) FROM signals_app_signal WHERE tenant_id = %s"
_ROUTED = f"{_STORED} AND routed_at IS NOT NULL"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--webhooks", type=int, default=5000, help="signed webhooks, one each (default %(default)s)")
    parser.add_argument("--batches", type=int, default=100, help="requests with a batch (default %(default)s)")
    parser.add_argument("--batch", type=int, default=500, help="signals in each of them (default %(default)s)")
    parser.add_argument("--clients", type=int, default=8, help="connections at once (default %(default)s)")
    parser.add_argument("--no-workers", action="store_true", help="leave the engine out, which routes meanwhile")
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Start the server, send both kinds, and count what was stored."""
    report = Report("intake", vars(options), machine=machine(stand.postgres.folder))
    bench = Intake(stand, options)
    bench.seed()
    try:
        bench.start()
        report.rows = [bench.webhooks(), bench.batches()]
        report.checks = [*bench.checks(), *bench.checks_of_runs()]
    finally:
        bench.stop()
    return report


class Intake:
    """A sender, its tenant and the web server."""

    def __init__(self, stand: Stand, options: argparse.Namespace) -> None:
        from benchmarks.journeys import new_tenant
        from signals_app.services.sources import create_source
        from tenants.models.api_key import Scope
        from tenants.services import create_api_key

        self.stand, self.options, self.observer = stand, options, stand.observer()
        self.tenant_id, self.port = new_tenant(LISTENING), free_port()
        issued = create_source(tenant_id=self.tenant_id, key="app", scheme="standard_webhooks", mapping=MAPPING)
        self.source, self.secret = str(issued.row.public_id), issued.secret
        key = create_api_key(tenant_id=self.tenant_id, name="bench", scopes=[Scope.SIGNALS_WRITE])
        self.headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key.token}"}
        command = [sys.executable, "-m", "gunicorn", "chimeway_py.wsgi", "--bind", f"{LOOPBACK}:{self.port}", *SERVER]
        env = {**stand.env, "CHIMEWAY_PROCESS": "web"}
        self.web = Child("web", command, env=env, cwd=ROOT, log=stand.logs / "web.log")
        self.statuses: list[int] = []
        self.sent = 0

    def seed(self) -> None:
        """A waiting run for every second order that will be told of."""
        from benchmarks.journeys import mould
        from benchmarks.seeding import checkpoint, seed, vacuum

        public_id, _ = mould(self.tenant_id, LISTENING["key"], by="order_id")
        seed(self.stand.postgres, self.tenant_id, public_id, self._awaited(), lambda made: say(f"{made:,} runs seeded"))
        vacuum(self.stand.postgres)
        checkpoint(self.stand.postgres)

    def _awaited(self) -> list[str]:
        """The orders that runs wait for."""
        single = [f"single-{i}" for i in range(0, self.options.webhooks, 2)]
        return single + [f"{n}-{i}" for n in range(self.options.batches) for i in range(0, self.options.batch, 2)]

    def start(self, patience: float = 60.0) -> None:
        """Start server and workers; a few requests warm them up. Raises DidNotStart with the log."""
        if not self.options.no_workers:
            self.stand.fleet.start()
        self.web.start()
        deadline = time.monotonic() + patience
        while not is_listening(self.port):
            if not self.web.is_running or time.monotonic() > deadline:
                raise DidNotStart(f"The web server does not answer:\n{self.web.log_tail()}")
            time.sleep(0.05)
        self._send([self._webhook(f"warm-{i}") for i in range(self.options.clients * 4)], signals=1)

    def stop(self) -> None:
        """End server and workers."""
        self.web.stop()
        self.stand.fleet.stop()

    def webhooks(self) -> dict[str, Any]:
        """Signed webhooks with one signal each."""
        requests = [self._webhook(f"single-{i}") for i in range(self.options.webhooks)]
        return self._measure("signed webhooks", requests, signals=1)

    def batches(self) -> dict[str, Any]:
        """Requests with many signals each."""
        requests = [self._batch(number) for number in range(self.options.batches)]
        return self._measure(f"batches of {self.options.batch}", requests, signals=self.options.batch)

    def checks(self) -> list[Check]:
        """Whether each request was accepted and each signal stored, and whether signatures were looked at."""
        refused = [status for status in self.statuses if status != 202]
        stored = self.observer.one(_STORED, self.tenant_id)
        forged = Wire(self.port).status(self._webhook("forged", secret="whsec_" + "A" * 32))
        found = [
            Check("every request was accepted", not refused, f"({len(refused)} were not: {sorted(set(refused))})"),
            Check(f"{self.sent:,} signals stored", stored == self.sent, f"({stored:,})"),
            Check("a forged webhook is refused", forged in (401, 403), f"({forged})"),
        ]
        if not self.options.no_workers:
            wait_until(lambda: self.observer.one(_ROUTED, self.tenant_id), stored, "signals routed")
            without = self.observer.one(f"{_STORED} AND verdict IS NULL", self.tenant_id)
            found.append(Check("every signal got its verdict", without == 0, f"({without} have none)"))
        return found

    def checks_of_runs(self) -> list[Check]:
        """Whether every second signal moved the run that waited for it, and no other did."""
        from benchmarks import checks

        tenant_id, expected = self.tenant_id, len(self._awaited())
        found = [checks.no_gaps(self.observer, tenant_id)]
        found.append(checks.traces_verify(self.observer, tenant_id, self.options.verify))
        if self.options.no_workers:
            return [checks.runs_in_state(self.observer, tenant_id, "waiting", expected + 1), *found]
        matched = self.observer.one(f"{_STORED} AND verdict = 'matched'", tenant_id)
        return [
            Check(f"{expected:,} of the signals matched", matched == expected, f"({matched:,})"),
            checks.count_in_state(self.observer, tenant_id, "completed", expected),
            checks.count_in_state(self.observer, tenant_id, "waiting", 1),  # the one that the others were cast from
            *found,
        ]

    def _measure(self, what: str, requests: Sequence[bytes], *, signals: int) -> dict[str, Any]:
        count = len(requests) * signals
        before = self.observer.read(self._parts())
        latencies = self._send(requests, signals=signals)
        used = self.observer.read(self._parts()).since(before, count)
        answered = time.perf_counter()
        seconds = answered - before.at
        row = {"what": what, "signals": count, "requests_per_s": round(len(requests) / seconds)}
        row |= {"signals_per_s": round(count / seconds)}
        row |= {f"p{round(share * 100)}_ms": round(percentile(latencies, share), 1) for share in (0.5, 0.99)}
        if not self.options.no_workers:
            routed_at = wait_until(lambda: self.observer.one(_ROUTED, self.tenant_id), self.sent, "signals routed")
            row |= {"routed_after_s": round(routed_at - answered, 2)}
        say(f"{what}: {row['signals_per_s']:,} signals/s")
        return {**row, "cpu_ms": used["cpu_ms"], "wal_bytes": used["wal_bytes"]}

    def _send(self, requests: Sequence[bytes], *, signals: int) -> list[float]:
        statuses, latencies = send_all(self.port, requests, self.options.clients)
        self.statuses += statuses
        self.sent += len(requests) * signals
        return latencies

    def _parts(self) -> dict[str, list[int]]:
        return {"web": family(self.web.pid), **self.stand.parts()}

    def _webhook(self, name: str, secret: str = "") -> bytes:
        from standardwebhooks import Webhook

        now, identity = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
        body = json.dumps({"type": "order.paid", "id": name, "user": f"user-{name}", "order": name, **_told(name)})
        headers = {
            "Content-Type": "application/json",
            "webhook-id": identity,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": Webhook(secret or self.secret).sign(identity, now, body),
        }
        return post(f"/hooks/{self.source}", headers, body.encode())

    def _batch(self, number: int) -> bytes:
        signals = [
            {
                "name": "order.paid",
                "subject": f"user-{number}-{i}",
                "correlation": {"order_id": f"{number}-{i}"},
                "data": _told(f"{number}-{i}"),
            }
            for i in range(self.options.batch)
        ]
        return post("/v1/signals/batch", self.headers, json.dumps({"signals": signals}).encode())


def _told(order: str) -> dict[str, Any]:
    """What a payment tells: no two are alike, so that each payload is sealed and stored by itself."""
    return {
        "amount": random.randint(100, 99_999),
        "currency": "EUR",
        "payment": uuid.uuid4().hex,
        "note": f"Order {order}",
    }
