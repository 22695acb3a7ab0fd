"""Messages to the outside world: mail to a mail server and webhooks to a receiver, both on this machine."""

import argparse
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks.report import Check, Report, machine, percentile, say
from benchmarks.stand import Stand
from benchmarks.waiting import PATIENCE, NeverHappened, wait_until
from chimeway_py.demo import commands
from chimeway_py.embedded.memory import LOOPBACK, free_port, is_listening
from chimeway_py.embedded.processes import DidNotStart

SUMMARY = "mail and webhooks sent a second"
QUICK = {"messages": 50, "latency": 10}
MAIL: dict[str, Any] = {
    "key": "mail",
    "correlation": ["k"],
    "templates": {"hello": {"subject": "Hello", "text": "Hello {{ run.subject }}"}},
    "steps": [{"key": "send", "kind": "deliver", "channel": "email", "template": "hello", "to": "data.email"}],
}
HOOK: dict[str, Any] = {
    "key": "hook",
    "correlation": ["k"],
    "steps": [{"key": "send", "kind": "deliver", "channel": "webhook", "endpoint": "pager"}],
}
_DONE = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND definition_key = %s AND state = 'completed'"
_ATTEMPTS = """
SELECT count(*) FROM workflows_attempt a JOIN workflows_steprun s ON s.tenant_id = a.tenant_id AND s.id = a.step_run_id
 WHERE s.tenant_id = %s
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--messages", type=int, default=2000, help="of each channel (default %(default)s)")
    parser.add_argument("--latency", type=int, default=100, help="of each, one at a time (default %(default)s)")
    parser.add_argument("--batch", type=int, default=100, help="runs started in one call (default %(default)s)")
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Start runs that send one message each, and count what arrives."""
    from benchmarks import checks
    from benchmarks.journeys import new_tenant
    from deliveries.services.endpoints import put_endpoint

    report = Report("deliver", vars(options), machine=machine(stand.postgres.folder))
    posts, port = stand.logs / f"posts-{uuid.uuid4().hex[:8]}", free_port()
    receiver = commands.receiver(stand.env, stand.logs, port, posts)
    tenant_id, observer, mark = new_tenant(MAIL), stand.observer(), uuid.uuid4().hex
    put_endpoint(tenant_id=tenant_id, key="pager", url=f"http://{LOOPBACK}:{port}/pager")
    bench = Deliver(stand, tenant_id, options, mark)
    bench.publish(HOOK)
    try:
        stand.start_mailbox()
        receiver.start()
        _wait_until_listening(port, receiver.log_tail)
        stand.fleet.start()
        report.rows = [bench.measure("mail"), bench.measure("hook")]
    finally:
        receiver.stop()
        stand.fleet.stop()
    expected = options.messages + options.latency
    mails = [to for mail in stand.mailbox.all() if mark in (to := str(mail["X-Envelope-To"]))]
    attempts = observer.one(_ATTEMPTS, tenant_id)
    report.checks = [
        Check(f"mail for {expected:,} addresses", len(set(mails)) == expected, f"({len(set(mails)):,})"),
        Check("no address has two", len(mails) == len(set(mails)), f"({len(mails):,} mails)"),
        _posted(posts, expected),
        Check("one attempt for each message", attempts == expected * 2, f"({attempts:,})"),
        checks.runs_in_state(observer, tenant_id, "completed", expected * 2),
        checks.no_gaps(observer, tenant_id),
        checks.traces_verify(observer, tenant_id, options.verify),
    ]
    return report


class Deliver:
    """A tenant whose runs send one message each."""

    def __init__(self, stand: Stand, tenant_id: int, options: argparse.Namespace, mark: str) -> None:
        self.stand, self.tenant_id, self.options, self.mark = stand, tenant_id, options, mark
        self.observer = stand.observer()

    def publish(self, document: dict[str, Any]) -> None:
        """One more definition: its endpoint has to be there before."""
        from workflows.services.definitions import ensure_definition

        ensure_definition(tenant_id=self.tenant_id, document=document)

    def measure(self, definition: str) -> dict[str, Any]:
        """From the first start to the last completion that is seen."""
        count = self.options.messages
        before = self.observer.read(self.stand.parts())
        self._start(definition)
        ended = wait_until(lambda: self.observer.one(_DONE, self.tenant_id, definition), count, f"{definition} sent")
        used = self.observer.read(self.stand.parts()).since(before, count)
        row = {"what": definition, "messages": count, "per_s": round(count / (ended - before.at))}
        latencies = self._latencies(definition)
        row |= {f"lat_p{round(share * 100)}_ms": round(percentile(latencies, share), 1) for share in (0.5, 0.99)}
        say(f"{definition}: {row['per_s']:,} a second, p50 {row['lat_p50_ms']} ms, p99 {row['lat_p99_ms']} ms")
        return {**row, **{name: used[name] for name in ("cpu_ms", "commits", "sessions", "wal_bytes")}}

    def _latencies(self, definition: str) -> list[float]:
        """Milliseconds from the call that starts a run to its completion seen, when nothing else happens."""
        found, done = [], self.options.messages
        for number in range(done, done + self.options.latency):
            began = time.perf_counter()
            self._start_some(definition, [number])
            while self.observer.one(_DONE, self.tenant_id, definition) <= number:
                if time.perf_counter() - began > PATIENCE:
                    raise NeverHappened(f"{definition} {number} was not sent within {PATIENCE:.0f} s")
                time.sleep(0.001)
            found.append((time.perf_counter() - began) * 1000)
        return found

    def _start(self, definition: str) -> None:
        numbers = range(self.options.messages)
        for first in numbers[:: self.options.batch]:
            self._start_some(definition, numbers[first : first + self.options.batch])

    def _start_some(self, definition: str, numbers: Iterable[int]) -> None:
        from workflows.services.start import NewRun, start_runs

        some = [
            NewRun(subject=f"user-{i}", correlation={"k": str(i)}, data={"email": f"{self.mark}-{i}@example.org"})
            for i in numbers
        ]
        start_runs(tenant_id=self.tenant_id, definition_key=definition, runs=some)


def _posted(folder: Path, wanted: int) -> Check:
    found = len(list(folder.glob("*.json")))
    return Check(f"{wanted:,} webhooks received", found == wanted, f"({found:,})")


def _wait_until_listening(port: int, log: Callable[[], str], patience: float = 30.0) -> None:
    deadline = time.monotonic() + patience
    while not is_listening(port):
        if time.monotonic() > deadline:
            raise DidNotStart(f"The receiver of webhooks did not start:\n{log()}")
        time.sleep(0.05)
