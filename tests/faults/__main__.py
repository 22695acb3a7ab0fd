"""`bin/prove`: break the service in every way we know, for minutes, and say what was lost. Nothing should be."""

import argparse
import shutil
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from chimeway_py.demo.screen import say
from chimeway_py.embedded.processes import DidNotStart
from tests.explorer.__main__ import main as explore
from tests.faults.beginning import Beginning
from tests.faults.chaos import KINDS
from tests.faults.crowds import SLUG
from tests.faults.ground import Ground, end
from tests.faults.mutating import main as mutate
from tests.faults.plan import FULL, LONG, QUICK, TENANTS, THROUGHPUT, Length, Plan, make_plan, plan_of_one
from tests.faults.prove import Prover
from tests.faults.report import Report
from tests.faults.scripts import new_seed
from tests.faults.upgrade import Upgraded, plan_of, prove_upgrade

INTERRUPTED = 130
LOOK_INTO = """Kept for a look into it: {folder}
  report.txt       the lines above, and the plan
  logs/            what every process said
  requests.jsonl   every request and its answer
  ledger.jsonl     every webhook that arrived; mail/mail has the mails
  postgres/        the database as it was left: python -m tests.faults.reopen {folder}
The same again: bin/prove --seed {seed}"""


def main(arguments: Sequence[str]) -> int:
    """Run, print the report; 0 when everything held, 1 when not, 130 when interrupted."""
    options, began = parse(arguments), Beginning()
    if options.explore:
        return explore()
    if options.mutants:
        return mutate()
    length = QUICK if options.quick else LONG if options.long else FULL
    seed = options.seed or new_seed()
    plan = _plan(options, seed, length)
    if options.plan:
        print(plan)
        return 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    folder = _folder()
    say(f"Seed {plan.seed}; everything of this run is in {folder}")
    code = 1
    try:
        within = 0.0 if options.only or options.upgrade else length.within
        report = _prove(folder, plan, length, options, began).ended(began, within)
        told = "\n".join(report.lines())
        (folder / "report.txt").write_text(f"{told}\n\n{plan}\n")
        print(told, flush=True)
        if options.figures:
            options.figures.write_text("\n".join(["```text", *report.figures(), report.summary(), "```", ""]))
        code = 0 if report.verdict.held else 1
    except KeyboardInterrupt:
        print("\nInterrupted: nothing was judged.", flush=True)
        code = INTERRUPTED
    except DidNotStart as error:
        print(f"✗ {error}", file=sys.stderr)
    except Exception:
        traceback.print_exc()
    _settle(folder, plan.seed, code, keep=options.keep)
    return code


def _plan(options: argparse.Namespace, seed: str, length: Length) -> Plan:
    if options.only:
        return plan_of_one(seed, options.only, length.many)
    return plan_of(seed) if options.upgrade else make_plan(seed, length)


def _prove(folder: Path, plan: Plan, length: Length, options: argparse.Namespace, began: Beginning) -> Report:
    """The upgrade, where there is time for it, and then everything else. Raises DidNotStart."""
    upgraded = Upgraded(why_not="this run leaves it out")
    if not (options.quick or options.only):
        upgraded = prove_upgrade(folder / "upgrade", plan.seed, began)
    if options.upgrade:
        if upgraded.report is None:
            raise DidNotStart(f"An upgrade cannot be tried here: {upgraded.why_not}.")
        return upgraded.report
    ground = Ground(folder, [*(f"tenant-{number}" for number in range(TENANTS)), SLUG])
    try:
        ground.start()
        return upgraded.put_into(Prover(ground, plan, length, began).run())
    finally:
        end(ground)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(
        prog="bin/prove",
        description="Break the running service in every way we know; check that nothing was lost, doubled or stuck.",
        epilog="Takes at most 15 minutes on two cores, or 3 with --quick. Exit code 1: something did not hold.",
    )
    parser.add_argument("--quick", action="store_true", help="fewer faults: at most three minutes")
    parser.add_argument("--long", action="store_true", help="every count of the table of faults: about half an hour")
    parser.add_argument("--seed", help="the same seed gives the same plan of journeys and faults")
    parser.add_argument("--plan", action="store_true", help="print the plan and do nothing")
    parser.add_argument(
        "--upgrade", action="store_true", help="only the upgrade under load, which a whole run begins with"
    )
    parser.add_argument(
        "--only",
        choices=[*KINDS, THROUGHPUT],
        metavar="NAME",
        help="one fault again and again, or `throughput`",
    )
    parser.add_argument("--explore", action="store_true", help="try every order of a few actors instead, in memory")
    parser.add_argument("--mutants", action="store_true", help="take the guards out of copies; tests must go red")
    parser.add_argument("--figures", type=Path, metavar="FILE", help="write them there as the page of faults has them")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run although everything held")
    return parser.parse_args(arguments)


def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="chimeway-prove-"))
    folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
    return folder


def _settle(folder: Path, seed: str, code: int, *, keep: bool) -> None:
    """Keep what is needed to look into a run that did not hold, and nothing of one that did."""
    if code == 1 or keep:
        print(LOOK_INTO.format(folder=folder, seed=seed), flush=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    if code != INTERRUPTED:
        print("✗ Something did not hold" if code else "✓ Everything held", flush=True)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
