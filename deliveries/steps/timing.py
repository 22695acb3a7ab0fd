"""What a deliver step may say of when it sends, and how often."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from deliveries.channels.base import Channel
from deliveries.timing.reading import period_faults
from workflows.steps.base import Fault
from workflows.steps.resting import WEEKDAYS

_TIME = {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "description": "HH:MM"}
TIMING: Mapping[str, Any] = {
    "quiet_hours": {
        "description": "what becomes of a message at an hour that forbids it: defer (the default), skip, or override",
        "enum": ["defer", "skip", "override"],
    },
    "window": {
        "type": "object",
        "description": "send only then, by the recipient's clock: {from: '09:00', to: '18:00', weekdays: [mon, …]}",
        "properties": {
            "from": _TIME,
            "to": _TIME,
            "weekdays": {"type": "array", "items": {"enum": list(WEEKDAYS)}, "minItems": 1, "uniqueItems": True},
        },
        "required": ["from", "to"],
        "additionalProperties": False,
    },
    "caps": {
        "description": "heed (the default), or override: no cap holds this message back",
        "enum": ["heed", "override"],
    },
}


def timing_faults(step: Mapping[str, Any], path: str, channel: Channel) -> Iterator[Fault]:
    """Keys that mean nothing for a channel that makes no noise, and a window without length."""
    if channel.settles_at_once:
        for name in sorted(set(TIMING) & set(step)):
            yield fault(
                f"{path}/{name}", "unknown_key", f"Nothing holds {channel.name} back: its owner looks when they like."
            )
    elif "window" in step:
        yield from period_faults(step["window"], f"{path}/window")
