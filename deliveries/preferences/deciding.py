"""Deciding whether a message may go out: rules in, a verdict out. Pure.

The more exact rule counts: a workflow is more exact than its category, a named channel more exact than any. Of rules
that are equally exact, or exact in different ways, a no counts before a yes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from deliveries.models.preference import describe
from deliveries.states import Layer
from workflows.definitions.conditions import evaluate


@dataclass(frozen=True, slots=True)
class Rule:
    """Yes or no to what matches. An empty category, workflow or channel is any."""

    allowed: bool
    category: str = ""
    workflow: str = ""
    channel: str = ""
    when: Mapping[str, Any] | None = None

    @property
    def exactness(self) -> tuple[int, int]:
        """How exact it is in what it is about, and in the channel."""
        about = 2 if self.workflow else 1 if self.category else 0
        return about, int(bool(self.channel))

    def matches(self, message: "About", facts: Mapping[str, Any]) -> bool:
        """Whether the rule speaks of this message. What its condition reads is looked at last."""
        pairs = (
            (self.category, message.category),
            (self.workflow, message.workflow),
            (self.channel, message.channel),
        )
        if any(wanted and wanted != found for wanted, found in pairs):
            return False
        return self.when is None or evaluate(self.when, facts).held


@dataclass(frozen=True, slots=True)
class About:
    """What a message is, as far as preferences know messages."""

    category: str
    workflow: str
    channel: str


@dataclass(frozen=True, slots=True)
class Said:
    """Yes or no, who said so, and by which rule."""

    allowed: bool
    layer: Layer
    rule: str


def decide(
    message: About,
    facts: Mapping[str, Any],
    *,
    is_required: bool,
    own: Iterable[Rule],
    defaults: Iterable[Rule],
) -> Said:
    """What counts: a required category, else the recipient's own rules, else the tenant's, else nothing."""
    if is_required:
        return Said(True, Layer.REQUIRED, f"category {message.category} is required")
    for layer, rules in ((Layer.RECIPIENT, own), (Layer.TENANT, defaults)):
        counting = most_exact([rule for rule in rules if rule.matches(message, facts)])
        if counting is not None:
            about = describe(counting.category, counting.workflow, counting.channel)
            return Said(counting.allowed, layer, f"{'yes' if counting.allowed else 'no'} to {about}")
    return Said(True, Layer.NOBODY, "")


def most_exact(rules: list[Rule]) -> Rule | None:
    """The rule that counts among those that match, or None without any."""
    counting = [rule for rule in rules if not any(_beats(other, rule) for other in rules)]
    return next((rule for rule in counting if not rule.allowed), counting[0] if counting else None)


def _beats(one: Rule, other: Rule) -> bool:
    """Whether `one` is more exact in some way and less in none."""
    pairs = list(zip(one.exactness, other.exactness, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)
