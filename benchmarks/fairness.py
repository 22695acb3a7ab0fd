"""One tenant sends a thousand times as much as each of twenty others: what the others notice."""

import argparse
import subprocess
import sys

from benchmarks.probe import Probe
from benchmarks.report import Check, Report, machine, say
from benchmarks.stand import Stand
from benchmarks.waiting import wait_until
from chimeway_py.demo.commands import ROOT

SUMMARY = "latency of twenty tenants beside one with a thousand times their load"
QUICK = {"others": 3, "times": 100.0, "seconds": 4.0}
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
    parser.add_argument("--seconds", type=float, default=30.0, help="length of each phase (default %(default)s)")
    parser.add_argument("--verify", type=int, default=200, help="runs whose traces are verified (default %(default)s)")


def run(stand: Stand, options: argparse.Namespace) -> Report:
    """Watch the others in quiet, then in the flood."""
    from benchmarks import checks
    from benchmarks.journeys import mould, new_tenant
    from benchmarks.seeding import seed, vacuum

    report = Report("fairness", vars(options), machine=machine(stand.postgres.folder))
    loud, others = new_tenant(), [new_tenant() for _ in range(options.others)]
    rate = options.rate * options.times
    runs = int(rate * options.seconds) + options.batch
    public_id, _ = mould(loud)
    seed(stand.postgres, loud, public_id, map(str, range(runs)), lambda made: say(f"{made:,} runs seeded"))
    vacuum(stand.postgres)
    stand.fleet.start()
    probe, observer = Probe(stand, others, options.rate), stand.observer()
    probe.measure(2.0)
    quiet = probe.measure(options.seconds)
    say(f"Quiet: {quiet.row('others')}")
    command = [sys.executable, "-m", "benchmarks.flood", str(loud), str(rate), str(options.seconds), str(options.batch)]
    with subprocess.Popen(command, env=dict(stand.env), cwd=ROOT, stdout=subprocess.PIPE, text=True) as flood:
        flooded = probe.measure(options.seconds)
        sent = int(flood.communicate()[0] or 0)
    say(f"Flooded: {flooded.row('others')}, {sent:,} signals of the flood")
    done = observer.one(_DONE, loud)
    wait_until(lambda: observer.one(_DONE, loud), sent, "runs of the flood")
    stand.fleet.stop()
    told = {"flood_sent": sent, "flood_done_at_its_end": done}
    report.rows = [quiet.row("others, quiet"), {**flooded.row("others, flooded"), **told}]
    report.checks = [
        Check("the flood sent signals", sent > 0, f"({sent:,})"),
        checks.count_in_state(observer, loud, "completed", sent),
        checks.count_in_state(observer, loud, "waiting", runs + 1 - sent),
        checks.traces_verify(observer, loud, options.verify),
        checks.signals_of_each_matched(observer, probe.sent),
    ]
    lost = quiet.lost + flooded.lost
    report.checks.append(Check("every signal of the others was seen to complete its run", not lost, f"({lost} lost)"))
    return report
