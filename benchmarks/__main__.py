"""`python -m benchmarks NAME`: start servers, measure, print a table, write JSON, end everything."""

import argparse
import importlib
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType, ModuleType

from benchmarks import peers
from benchmarks.report import Report, say
from benchmarks.stand import COUNTED, OwnStand
from benchmarks.statements import costly_statements
from benchmarks.waiting import NeverHappened
from chimeway_py.embedded.accounts import CannotReach
from chimeway_py.embedded.broker import NoBroker
from chimeway_py.embedded.postgres_files import NoPostgres
from chimeway_py.embedded.processes import DidNotStart

NAMES = (
    *("park_resume", "growth", "intake", "timers", "fanout", "broadcast"),
    *("fairness", "explain", "deliver", "prune", "partitions"),
)
BROKEN = (NoPostgres, NoBroker, CannotReach, DidNotStart, NeverHappened)


def main(arguments: Sequence[str]) -> int:
    """Run one benchmark. The exit code is 1 when something was lost or nothing could be measured."""
    parser, options = parse(arguments)
    peers.check_arguments(parser, options)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    stand: OwnStand | None = None
    try:
        say("Starting PostgreSQL and the broker")
        module = benchmark(options.name)
        settings = [*getattr(module, "SETTINGS", ()), *(COUNTED if options.statements else ()), *options.setting]
        stand = OwnStand(options.folder, settings=settings)
        stand.use()
        report = module.run(stand, options)
        if options.statements:
            report.statements = costly_statements(stand.postgres, options.statements)
    except BROKEN as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if stand is not None:
            stand.stop()
    return tell(report, options.json)


def tell(report: Report, path: Path | None) -> int:
    """Print the result, write it where asked, and say by the exit code whether it counts."""
    print(report.text())
    if path:
        report.write(path)
        say(f"Written to {path}")
    return 0 if report.holds else 1


def parse(arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    """The options of the benchmark that is named; `--quick` changes the defaults, not what is given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    chosen = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name in NAMES:
        module = benchmark(name)
        sub = chosen.add_parser(name, help=module.SUMMARY, description=module.__doc__)
        sub.add_argument("--json", type=Path, metavar="FILE", help="write the result as JSON too")
        sub.add_argument("--folder", type=Path, help="where the databases are made (default: the temporary folder)")
        sub.add_argument(
            "--statements",
            type=int,
            default=0,
            metavar="N",
            help="show the N statements that cost most (slows a little)",
        )
        sub.add_argument(
            "--setting", action="append", default=[], metavar="NAME=VALUE", help="of PostgreSQL; may be repeated"
        )
        sub.add_argument("--quick", action="store_true", help="small sizes: whether it works, not how fast it is")
        module.add_arguments(sub)
        if "--quick" in arguments:
            sub.set_defaults(**module.QUICK)
    return parser, parser.parse_args(arguments)


def benchmark(name: str) -> ModuleType:
    """The module of a benchmark: SUMMARY, QUICK, add_arguments and run."""
    return importlib.import_module(f"benchmarks.{name}")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
