"""May this message go out now? Asked when it is planned, and again when it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deliveries.models import Delivery
from deliveries.preferences.deciding import About, decide
from deliveries.standing import Standing
from deliveries.states import DeliveryStatus, Layer
from workflows.steps.base import Outcome
from workflows.steps.sources import Facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, by whom, by which rule. `error` is the kind of rule that keeps the message back, or empty."""

    layer: Layer
    rule: str
    error: str = ""

    @property
    def may_go(self) -> bool:
        """Whether it may be sent now."""
        return not self.error

    def as_outcome(self) -> Outcome:
        """What the run is told of a message that is kept back: names of rules, never a value."""
        told = {"decided_by": str(self.layer), "rule": self.rule}
        return Outcome(DeliveryStatus.SUPPRESSED, self.error, context=told)


def may_go(delivery: Delivery, step: Mapping[str, Any], facts: Facts, standing: Standing, now: datetime) -> Verdict:
    """Judge one delivery and note on it who decided. Nothing is written: whoever asks stores the row."""
    message = About(delivery.category, delivery.definition_key, delivery.channel)
    said = decide(
        message,
        facts,
        is_required=delivery.category in standing.required,
        own=standing.rules.get(delivery.subject, ()),
        defaults=standing.rules.get("", ()),
    )
    verdict = Verdict(said.layer, said.rule, "" if said.allowed else "preference")
    delivery.decided_by, delivery.decided_rule = verdict.layer, verdict.rule
    return verdict
