"""`runs bulk` and `runs cancel-key`: runs that are not named by their ids."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from chimeway_py.errors import Invalid, fault
from workflows.definitions.durations import parse_duration
from workflows.management.arguments import instant
from workflows.management.run_controlling import (
    add_compensate,
    add_decision,
    add_reason,
    answered,
    by,
    decision_of,
    fail_if_all_refused,
    told,
)
from workflows.management.run_replaying import add_replaying
from workflows.management.verbs import Verb
from workflows.services.approvals import Decision
from workflows.services.bulk_checks import DECISIONS
from workflows.services.bulk_control import CONTROLS, Forecast, control_planned, plan_control
from workflows.services.bulk_replay import Replaying
from workflows.services.cancel_by_key import Key, cancel_by_key
from workflows.services.run_selection import Plan, Selection
from workflows.states import RunState

CONDITIONS = ("workflow", "state", "subject", "waiting_on", "broadcast", "started_after", "started_before")


class BulkControl(Verb):
    """A control call on all runs of a selection, batch by batch."""

    name, help = "bulk", "Do something with all runs that meet every condition given."

    def arguments(self, parser: ArgumentParser) -> None:
        """What to do, and to which runs."""
        parser.add_argument("action", choices=sorted(CONTROLS))
        parser.add_argument("--workflow", default="", metavar="KEY")
        parser.add_argument("--state", default="", choices=RunState.values)
        parser.add_argument("--subject", default="")
        parser.add_argument("--correlation", action="append", default=[], metavar="NAME=VALUE")
        parser.add_argument("--waiting-on", default="", metavar="SIGNAL")
        parser.add_argument("--broadcast", default="", metavar="ID", help="The broadcast that started them.")
        parser.add_argument("--started-after", type=instant, metavar="TIME")
        parser.add_argument("--started-before", type=instant, metavar="TIME")
        parser.add_argument("--until", type=instant, metavar="TIME", help="Of a pause: when it ends by itself.")
        add_compensate(parser)
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be done.")
        add_reason(parser, required=False)  # who decides gives a comment instead
        add_decision(parser)
        add_replaying(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """What it would do; then, after each batch, how far it has come."""
        correlation = dict(pair.partition("=")[::2] for pair in options["correlation"])
        selection = Selection(correlation=correlation, **{name: options[name] for name in CONDITIONS})
        decision = _decision(options)
        forecast = plan_control(
            tenant_id=tenant_id,
            action=options["action"],
            selection=selection,
            compensate=options["compensate"],
            decision=decision,
        )
        yield from _foreseen(forecast)
        if not options["dry_run"]:
            yield from _carried_out(tenant_id, forecast.plan, options, decision)


class CancelKey(Verb):
    """Cancels by key, also what is still to come."""

    name, help = "cancel-key", "End the runs of an idempotency key or a correlation value."

    def arguments(self, parser: ArgumentParser) -> None:
        """Which key, and how long the cancel sticks."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--idempotency-key", default="", metavar="KEY")
        which.add_argument("--correlation", default="", metavar="NAME=VALUE")
        parser.add_argument("--workflow", default="", metavar="KEY")
        parser.add_argument("--sticky-for", type=_duration, metavar="DURATION", help="Runs to come, too: PT1H, P1D.")
        add_compensate(parser)
        add_reason(parser)

    def lines(self, tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
        """A verdict for each run, and until when the cancel sticks."""
        name, _, value = options["correlation"].partition("=")
        key = Key(options["idempotency_key"], {name: value} if name else {}, options["workflow"])
        done = cancel_by_key(
            tenant_id=tenant_id,
            key=key,
            reason=options["reason"],
            sticky_for=options["sticky_for"],
            compensate=options["compensate"],
            **by(options),
        )
        if done.sticky is None:
            yield from answered(done.verdicts)
        else:
            yield from told(done.verdicts)
            yield f"Runs that start under it are cancelled until {done.sticky.until:%Y-%m-%d %H:%M:%S} UTC."


def _decision(options: dict[str, Any]) -> Decision | None:
    """Who decides what, for an approve or a reject; the other calls need a reason. Raises `Invalid`."""
    if options["action"] in DECISIONS:
        return decision_of(options) if options["by"] else None
    if not options["reason"]:
        raise Invalid("The call is not valid.", [fault("/reason", "missing", "Say why.")])
    given = [name for name in ("comment", "metadata", "step", "visit") if options[name]]
    if given:
        raise Invalid(
            "The call is not valid.", [fault(f"/{name}", "conflict", "Only of a decision.") for name in given]
        )
    return None


def _foreseen(forecast: Forecast) -> Iterator[str]:
    counts = ", ".join(f"{count} {state}" for state, count in sorted(forecast.by_state.items())) or "no run"
    yield f"Selected: {counts}. To {forecast.plan.action}: {forecast.moves}; {forecast.in_flight} in flight."
    if forecast.plan.undoes:
        undone = ", ".join(f"{count} {step}" for step, count in forecast.compensates.items())
        yield f"To be undone: {undone or 'nothing'}."
    yield from (
        f"  for example {one.public_id}  {one.state}  {one.step or '-'}  {one.subject}" for one in forecast.sample
    )


def _carried_out(tenant_id: int, plan: Plan, options: dict[str, Any], decision: Decision | None) -> Iterator[str]:
    rest: Plan | None = plan
    moved = refused = 0
    while rest is not None:
        batch = control_planned(
            tenant_id=tenant_id,
            plan=rest,
            reason=options["reason"],
            until=options["until"],
            decision=decision,
            replaying=Replaying(options["on"], options["allow_irreversible"]),
            **by(options),
        )
        rest = batch.rest
        moved += sum(one.verdict == "moved" for one in batch.verdicts)
        refused += sum(one.verdict == "refused" for one in batch.verdicts)
        yield from told(one for one in batch.verdicts if one.in_flight or one.replay or one.verdict == "refused")
        yield f"{moved} moved, {refused} refused, {batch.remaining} to come."
    fail_if_all_refused(moved, moved + refused)


def _duration(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
