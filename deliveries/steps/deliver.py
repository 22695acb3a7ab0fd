"""The `deliver` step: one message, planned with the run's move, sent by a worker, its outcome fed back."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from chimeway_py.errors import fault
from deliveries.channels.registry import channel, channels
from deliveries.services.perform import perform_delivery
from deliveries.services.plan import plan_deliveries
from deliveries.services.settle import abandon_deliveries, resolve_delivery, settle_delivery
from deliveries.states import OUTCOMES, DeliveryStatus
from deliveries.steps.checks import category_faults, template_faults
from deliveries.steps.timing import TIMING, timing_faults
from workflows.steps.base import TRIES, CheckContext, Claim, Fault, Outcome, PlannedStep, WorkKind
from workflows.steps.sources import SOURCE, check_source

_KEY = {"$ref": "#/$defs/key"}
_OWN = {
    "channel": {"enum": sorted(channels())},
    "template": _KEY,
    "template_version": {
        "description": "one version of a stored template; without it the one that is published",
        "type": "integer",
        "minimum": 1,
    },
    "locale": SOURCE,
    "recipient": SOURCE,
    "category": _KEY,
    "without_address": {
        "description": "what becomes of a message to somebody who has no address there: fail (the default), or skip",
        "enum": ["fail", "skip"],
    },
    **TIMING,
    **TRIES,
}


def _schema() -> dict[str, Any]:
    """The keys of every channel, and for each channel those it cannot do without."""
    properties = dict(_OWN)
    for known in channels().values():
        properties |= dict(known.schema)
    needed = [
        {"if": {"properties": {"channel": {"const": name}}}, "then": {"required": list(known.required)}}
        for name, known in channels().items()
    ]
    return {"properties": properties, "required": ["channel"], "allOf": needed}


class DeliverStep(WorkKind):
    """Tells somebody something over one channel."""

    name = "deliver"
    hears_later = True
    may_compensate = True
    success = DeliveryStatus.DELIVERED
    outcomes = OUTCOMES
    schema = _schema()

    def check(self, step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
        """Keys of another channel, paths that lead nowhere, and a template that nobody wrote or that cannot be read."""
        chosen = channel(step["channel"])
        foreign = {key for known in channels().values() for key in known.schema} - set(chosen.schema)
        for key in sorted(foreign & set(step)):
            yield fault(f"{path}/{key}", "unknown_key", f"The channel {chosen.name} has no {key!r}.")
        yield from chosen.check(step, path, context)
        yield from check_source(step.get("locale"), f"{path}/locale", context)
        yield from template_faults(step, path, context)
        yield from check_source(step.get("recipient"), f"{path}/recipient", context)
        yield from category_faults(step, path, context)
        yield from timing_faults(step, path, chosen)

    def plan(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """One delivery per step run. In-app items are delivered here; what cannot be sent fails here."""
        return plan_deliveries(planned=planned, now=now)

    def plan_again(self, planned: Sequence[PlannedStep], now: datetime) -> Mapping[int, Outcome]:
        """The same delivery, as though it had never been tried."""
        return plan_deliveries(planned=planned, now=now, again=True)

    def perform(self, claim: Claim) -> Outcome:
        """Render and send, outside any transaction."""
        return perform_delivery(claim=claim)

    def settle(self, claim: Claim, outcome: Outcome, final: bool, now: datetime) -> None:
        """Write what became of the try on the delivery."""
        settle_delivery(claim=claim, outcome=outcome, final=final, now=now)

    def abandon(self, tenant_id: int, step_run_ids: Sequence[int], now: datetime) -> None:
        """Nobody will try again: what was not begun is cancelled, of what was begun nobody knows the end."""
        abandon_deliveries(tenant_id=tenant_id, step_run_ids=step_run_ids, now=now)

    def resolve(self, tenant_id: int, step_run_id: int, word: str, now: datetime, error: str = "") -> None:
        """Write what somebody found out about a delivery, or that nobody knows."""
        resolve_delivery(tenant_id=tenant_id, step_run_id=step_run_id, word=word, now=now, error=error)
