"""Whether the hour allows a message, by the recipient's clock. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from deliveries.states import Layer
from deliveries.timing.periods import Clock, Period


@dataclass(frozen=True, slots=True)
class Forbidden:
    """What forbids it, whose rule that is, and until when; None: for good."""

    kind: str
    layer: Layer
    rule: str
    until: datetime | None


def what_forbids(
    step: Mapping[str, Any],
    channel: str,
    *,
    zone: str,
    own: Sequence[Mapping[str, Any]] | None,
    defaults: Sequence[Mapping[str, Any]],
    now: datetime,
) -> Forbidden | None:
    """The first rule that keeps a message of this step back at `now`, and when all of them together let it go.

    A recipient's own quiet hours (a list, also an empty one) take the place of the tenant's. A step may override quiet
    hours, but not its own window.
    """
    layer, listed = (Layer.TENANT, defaults) if own is None else (Layer.RECIPIENT, own)
    overrides = step.get("quiet_hours") == "override"
    ringing = [] if overrides else [raw for raw in listed if channel in (raw.get("channels") or [channel])]
    window = Period.parse(step["window"]) if "window" in step else None
    clock = Clock(ZoneInfo(zone), [Period.parse(raw) for raw in ringing], window)
    met = clock.what_forbids(now)
    if met is None:
        return None
    until = None if step.get("quiet_hours") == "skip" else clock.next_opening(now)
    if met is window:
        return Forbidden("window", Layer.STEP, f"window {met}", until)
    return Forbidden("quiet_hours", layer, f"quiet hours {met}", until)
