"""`definitions migrate`."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from typing import Any

from chimeway_py.errors import Invalid, fault
from workflows.management.run_controlling import add_reason, by, fail_if_all_refused
from workflows.management.verbs import Verb
from workflows.services.version_moves import MoveBatch, MoveForecast, move_planned, plan_move
from workflows.services.version_plan import DUES, Change, MovePlan


class MigrateRuns(Verb):
    """Tells what would become of the runs of a version, then moves them batch by batch."""

    name, help = "migrate", "Move the runs of one version of a definition to another."

    def arguments(self, parser: ArgumentParser) -> None:
        """From where to where, and whether to look or to act."""
        parser.add_argument("key", metavar="KEY")
        parser.add_argument("--from", type=int, required=True, dest="from_version", metavar="VERSION")
        parser.add_argument("--to", type=int, required=True, dest="to_version", metavar="VERSION")
        parser.add_argument("--map", type=_pair, action="append", default=[], dest="steps", metavar="OLD=NEW")
        parser.add_argument("--due", choices=DUES, default="keep", help="The time of a wait that is opened anew.")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--dry-run", action="store_true", help="Only say what would be done, and its plan.")
        which.add_argument("--apply", action="store_true", help="Do it.")
        parser.add_argument("--plan", default="", help="With --apply: move nothing that changed since this look.")
        add_reason(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it would do; then, after each batch, how far it has come and which runs stay."""
        versions = options["from_version"], options["to_version"]
        change = Change(options["key"], *versions, dict(options["steps"]), options["due"])
        if not options["plan"]:
            forecast = plan_move(tenant_id=tenant_id, change=change)
            yield from _foreseen(forecast)
        if options["dry_run"]:
            yield f"plan {forecast.plan.as_token()}"
            return
        plan = _plan(options["plan"], change) if options["plan"] else forecast.plan
        yield from _carried_out(tenant_id, plan, options)


def _plan(token: str, change: Change) -> MovePlan:
    plan = MovePlan.from_token(token, change.key)
    if plan.change != change:
        raise Invalid("The plan is not valid.", [fault("/plan", "other_plan", "It was made for another move.")])
    return plan


def _foreseen(forecast: MoveForecast) -> Iterator[str]:
    yield f"{forecast.moves} would move, {forecast.stays} would stay."
    for one in forecast.groups:
        place = f"{one.state} at {one.step}" if one.step else one.state
        to = f" → {one.step_to}" if one.step_to != one.step else ""
        yield f"  {one.runs} {place}{to}: {one.outcome}. {one.why}"


def _carried_out(tenant_id: int, plan: MovePlan, options: dict[str, Any]) -> Iterator[str]:
    rest: MovePlan | None = plan
    moved = stay = 0
    while rest is not None:
        batch: MoveBatch = move_planned(tenant_id=tenant_id, plan=rest, reason=options["reason"], **by(options))
        rest = batch.rest
        refused = [one for one in batch.verdicts if one.verdict == "refused"]
        moved, stay = moved + len(batch.verdicts) - len(refused), stay + len(refused)
        yield from (f"{one.public_id}  stays, {one.state} at {one.step or '-'}: {one.outcome}" for one in refused)
        yield f"{moved} moved, {stay} stay, {batch.remaining} to come."
    fail_if_all_refused(moved, moved + stay)


def _pair(text: str) -> tuple[str, str]:
    old, _, new = text.partition("=")
    if not (old and new):
        raise ArgumentTypeError(f"{text!r} is not of the form OLD=NEW")
    return old, new
