"""May this message go out now? Asked when it is planned, and again when it is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from deliveries.channels.registry import channel
from deliveries.models import Delivery
from deliveries.preferences.deciding import About, decide
from deliveries.standing import Standing
from deliveries.states import DeliveryStatus, Layer
from deliveries.timing.caps import caps_on, take_place
from deliveries.timing.hours import what_forbids
from workflows.steps.base import HELD, Outcome
from workflows.steps.sources import Facts


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided, by whom, by which rule. `kind` is the kind of rule that keeps the message back, or empty.

    With `until` it is only held until then. `into` is the message that says it instead.
    """

    layer: Layer
    rule: str
    kind: str = ""
    until: datetime | None = None
    into: UUID | None = None

    @property
    def may_go(self) -> bool:
        """Whether it may be sent now."""
        return not self.kind

    def as_outcome(self) -> Outcome:
        """What the run is told of a message that is kept back: names of rules, never a value."""
        told: dict[str, Any] = {"decided_by": str(self.layer), "rule": self.rule}
        if self.until is not None:
            return Outcome(HELD, self.kind, context=told | {"until": self.until.isoformat()}, until=self.until)
        if self.into is not None:
            return Outcome(DeliveryStatus.SUPPRESSED, "coalesced", context=told | {"into": str(self.into)})
        return Outcome(DeliveryStatus.SUPPRESSED, self.kind, context=told)


def may_go(
    delivery: Delivery,
    step: Mapping[str, Any],
    facts: Facts,
    standing: Standing,
    now: datetime,
    *,
    is_sending: bool = False,
) -> Verdict:
    """Judge one delivery and note on it who decided; whoever asks stores the row.

    Caps are a matter of the moment of sending: only then a place is taken, under a lock until the transaction ends.
    What a person sends again heeds preferences, but neither the hour nor a cap; a test heeds no rule at all.
    """
    verdict = Verdict(Layer.NOBODY, "") if delivery.is_test else _by_preference(delivery, facts, standing)
    if verdict.may_go and not channel(delivery.channel).settles_at_once and not delivery.is_insisted_on:
        verdict = _by_hour(delivery, step, standing, now) or verdict
        if verdict.may_go and is_sending and step.get("caps") != "override":
            verdict = _by_caps(delivery, standing, now) or verdict
    delivery.decided_by, delivery.decided_rule = verdict.layer, verdict.rule[:200]
    delivery.held_until, delivery.held_by = verdict.until, verdict.kind if verdict.until else ""
    delivery.coalesced_into = verdict.into
    return verdict


DECIDED = ("decided_by", "decided_rule", "held_until", "held_by", "coalesced_into", "counted_at")
"""The columns in which a verdict is kept."""


def _by_preference(delivery: Delivery, facts: Facts, standing: Standing) -> Verdict:
    said = decide(
        About(delivery.category, delivery.definition_key, delivery.channel),
        facts,
        is_required=delivery.category in standing.required,
        own=standing.rules.get(delivery.subject, ()),
        defaults=standing.rules.get("", ()),
    )
    return Verdict(said.layer, said.rule, "" if said.allowed else "preference")


def _by_hour(delivery: Delivery, step: Mapping[str, Any], standing: Standing, now: datetime) -> Verdict | None:
    recipient = standing.recipients.get(delivery.subject)
    met = what_forbids(
        step,
        delivery.channel,
        zone=recipient.zone if recipient is not None and recipient.zone else standing.zone,
        own=recipient.quiet_hours if recipient is not None else None,
        defaults=standing.quiet_hours,
        now=now,
    )
    return Verdict(met.layer, met.rule, met.kind, met.until) if met is not None else None


def _by_caps(delivery: Delivery, standing: Standing, now: datetime) -> Verdict | None:
    caps = caps_on(delivery, standing.caps)
    full = take_place(delivery, caps, now) if caps else None
    if full is None:
        return None
    is_held = full.then != "drop" and full.into is None
    return Verdict(Layer.TENANT, full.rule, "cap", full.until if is_held else None, full.into)
