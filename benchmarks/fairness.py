"""One tenant sends very much: what twenty others notice.

First it sends a thousand times as much as each of them, then one by one and steadily, then as much as the engine can
do, so that a backlog of it always waits.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.flood import READY
from benchmarks.probe import Probe, Seen
from benchmarks.report import Check, Report, Row, machine, say
from benchmarks.stand import Stand
from benchmarks.waiting import wait_until
from chimeway_py.demo.commands import ROOT
from chimeway_py.embedded.processes import DidNotStart

SUMMARY = "latency of twenty tenants beside one with a thousand times their load, and beside a backlog"
QUICK = {"others": 3, "times": 100.0, "seconds": 4.0, "backlog": 200, "spare": 20_000}
_DONE = "SELECT count(*) FROM workflows_run WHERE tenant_id = %s AND state = 'completed'"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its own options."""
    parser.add_argument("--others", type=int, default=20, help="tenants that are watched (default %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=0.5, help="signals a second of each of them (default %(default)s)"
    )
    parser.add_argument(
        "--times", type=float, default=1000.0, help="the load of the flood in theirs (default %(default)s)"
    )
    parser.add_argument("--batch", type=int, default=50, help="signals in one call of the flood (default %(default)s)")
    parser.add_argument(
        "--singles", type=float, default=200.0, help="single calls a second in a phase of them (default %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each phase (default %(default)s)")
    parser.add_argument(
        "--backlog", type=int, default=2000, help="signals that always wait in the last phase (default %(default)s)"
    )
    parser.add_argument(
        "--spare", type=int, default=300_000, help="runs for the signals of the last phase (default %(default)s)"
    )
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Watch the others in quiet, in the flood, beside single calls, and beside a backlog."""
    from benchmarks import checks
    from benchmarks.journeys import mould, new_tenant
    from benchmarks.seeding import seed, vacuum

    report = Report("fairness", vars(options), machine=machine(stand.postgres.folder))
    loud, others = new_tenant(), [new_tenant() for _ in range(options.others)]
    paced = (options.rate * options.times + options.singles) * options.seconds
    runs = int(paced) + options.batch + options.spare + 1
    public_id, _ = mould(loud)
    seed(stand.postgres, loud, public_id, map(str, range(runs)), lambda made: say(f"{made:,} runs seeded"))
    vacuum(stand.postgres)
    stand.fleet.start()
    bench = Fairness(stand, options, loud, Probe(stand, others, options.rate), runs)
    report.rows = [bench.quiet(), bench.flooded(), bench.beside_single_calls(), bench.beside_a_backlog()]
    stand.fleet.stop()
    observer, sent = bench.observer, bench.sent
    report.checks = [
        checks.kept_pace("the flood", report.rows[1]["flood_sent"], options.rate * options.times, options.seconds),
        checks.kept_pace("the single calls", report.rows[2]["flood_sent"], options.singles, options.seconds),
        _always_waited(report.rows[3]),
        checks.count_in_state(observer, loud, "completed", sent),
        checks.count_in_state(observer, loud, "waiting", runs + 1 - sent),
        checks.signals_matched(observer, loud, sent),
        checks.no_gaps(observer, loud, *others),
        checks.traces_verify(observer, loud, options.verify),
        checks.signals_of_each_matched(observer, bench.probe.sent),
        Check("every signal of the others was seen to complete its run", not bench.lost, f"({bench.lost} lost)"),
    ]
    return report


def _always_waited(row: Row) -> Check:
    found = (
        f"({row['flood_least_backlog']:,} at least{', until its runs were used up' if row['flood_ran_out'] else ''})"
    )
    return Check(
        "signals of the backlog always waited", row["flood_least_backlog"] > 0 and not row["flood_ran_out"], found
    )


class Fairness:
    """The others, watched in four phases."""

    def __init__(self, stand: Stand, options: argparse.Namespace, loud: int, probe: Probe, runs: int) -> None:
        self.stand, self.options, self.loud, self.probe, self.runs = stand, options, loud, probe, runs
        self.observer = stand.observer()
        self.sent = self.lost = 0
        self._told: dict[str, Any] = {}

    def quiet(self) -> dict[str, Any]:
        """Nobody else sends."""
        self.probe.measure(2.0)
        return self._row("others, quiet", self.probe.measure(self.options.seconds))

    def flooded(self) -> dict[str, Any]:
        """The loud tenant sends so many times what each of them sends."""
        with self._flood("pace", self.options.rate * self.options.times, self.options.seconds) as begin:
            seen = self.probe.measure(self.options.seconds, begin=begin)
        return self._row("others, flooded", seen)

    def beside_single_calls(self) -> dict[str, Any]:
        """The loud tenant sends one signal in each call, one after the other."""
        with self._flood("pace", self.options.singles, self.options.seconds, batch=1) as begin:
            seen = self.probe.measure(self.options.seconds, begin=begin)
        return self._row("others beside single calls", seen)

    def beside_a_backlog(self) -> dict[str, Any]:
        """The loud tenant sends whatever the engine takes, and more waits."""
        with self._flood("backlog", self.options.backlog, self.runs) as begin:
            seen = self.probe.measure(self.options.seconds, begin=begin)
        return self._row("others beside a backlog", seen)

    @contextmanager
    def _flood(self, *how: Any, batch: int | None = None) -> Iterator[Any]:
        """A client of the loud tenant, which begins when it is told and whose end is waited for."""
        before, words = self.sent, [self.loud, self.sent, batch or self.options.batch, *how]
        command = [sys.executable, "-m", "benchmarks.flood", *map(str, words)]
        env, pipe = dict(self.stand.env), subprocess.PIPE
        with subprocess.Popen(command, env=env, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as flood:

            def begin() -> None:
                assert flood.stdin is not None
                assert flood.stdout is not None
                if flood.stdout.readline().strip() != READY:  # setting up Django takes longer than a short phase
                    raise DidNotStart("The client of the loud tenant did not start")
                flood.stdin.write("begin\n")
                flood.stdin.flush()

            yield begin
            said = flood.communicate()[0]
        if flood.returncode:
            raise DidNotStart("The client of the loud tenant failed")
        told = json.loads(said)
        self.sent += told["sent"]
        done = self.observer.one(_DONE, self.loud) - before
        wait_until(lambda: self.observer.one(_DONE, self.loud), self.sent, "runs of the flood")
        if seconds := told.pop("seconds", None):
            told["done_per_s"] = round(done / seconds)
        self._told = {f"flood_{name}": value for name, value in {**told, "done_at_its_end": done}.items()}

    def _row(self, what: str, seen: Seen) -> dict[str, Any]:
        self.lost += seen.lost
        row = {**seen.row(what), **self._told}
        say(str(row))
        return row
