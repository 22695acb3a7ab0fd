"""Quiet hours and caps in JSON: every fault with its path."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import fault
from deliveries.channels.registry import channel, channels
from deliveries.services.template_checks import KEY
from workflows.definitions.durations import parse_duration
from workflows.steps.resting import WEEKDAYS

MOST_PERIODS, MOST_CAPS = 10, 20
LONGEST_WINDOW = timedelta(days=31)
THEN = ("delay", "coalesce", "drop")
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_PERIOD = ("from", "to", "weekdays", "channels")
_CAP = ("name", "channel", "category", "limit", "per", "then")
Faults = Iterator[dict[str, str]]


def quiet_faults(said: Any, path: str) -> Faults:
    """Every fault of a list of quiet periods at JSON Pointer `path`."""
    if not isinstance(said, list) or len(said) > MOST_PERIODS:
        yield fault(path, "bad_length", f"A list of at most {MOST_PERIODS} periods.")
        return
    for index, period in enumerate(said):
        at = f"{path}/{index}"
        if not isinstance(period, Mapping):
            yield fault(at, "bad_type", "Must be an object.")
            continue
        yield from _unknown(period, _PERIOD, at)
        yield from period_faults(period, at)
        yield from _subset(period.get("channels"), loud_channels(), f"{at}/channels")


def period_faults(period: Mapping[str, Any], at: str) -> Faults:
    """Faults of `from`, `to` and `weekdays`."""
    for name in ("from", "to"):
        if not isinstance(period.get(name), str) or not _TIME.fullmatch(period[name]):
            yield fault(f"{at}/{name}", "local_time", "A time of day as HH:MM.")
    if period.get("from") is not None and period.get("from") == period.get("to"):
        yield fault(f"{at}/to", "empty_period", "It ends when it begins.")
    yield from _subset(period.get("weekdays"), WEEKDAYS, f"{at}/weekdays")


def cap_faults(said: Any, path: str) -> Faults:
    """Every fault of a list of caps at JSON Pointer `path`."""
    if not isinstance(said, list) or len(said) > MOST_CAPS:
        yield fault(path, "bad_length", f"A list of at most {MOST_CAPS} caps.")
        return
    names: set[str] = set()
    for index, cap in enumerate(said):
        at = f"{path}/{index}"
        if not isinstance(cap, Mapping):
            yield fault(at, "bad_type", "Must be an object.")
            continue
        yield from _unknown(cap, _CAP, at)
        yield from _one_cap(cap, at)
        name = str(cap.get("name"))  # which may be a list or an object, and is refused as such above
        if name in names:
            yield fault(f"{at}/name", "repeated", "Each cap has a name of its own.")
        names.add(name)


def _one_cap(cap: Mapping[str, Any], at: str) -> Faults:
    for name in ("name", "category"):
        said = cap.get(name)
        if (said is not None or name == "name") and not (isinstance(said, str) and KEY.fullmatch(said)):
            yield fault(f"{at}/{name}", "bad_key", "1 to 64 of the letters a-z, digits and _.")
    if cap.get("channel") not in loud_channels():
        yield fault(f"{at}/channel", "unknown_channel", f"One of {', '.join(loud_channels())}.")
    limit = cap.get("limit")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= 1000:
        yield fault(f"{at}/limit", "bad_limit", "A whole number from 1 to 1000.")
    if not _is_window(cap.get("per")):
        yield fault(f"{at}/per", "duration", "An ISO 8601 duration from PT1S to P31D.")
    if cap.get("then") not in THEN:
        yield fault(f"{at}/then", "unknown", f"One of {', '.join(THEN)}.")


def loud_channels() -> list[str]:
    """Channels that ring: an inbox is looked at when its owner likes."""
    return sorted(name for name in channels() if not channel(name).settles_at_once)


def _is_window(text: Any) -> bool:
    try:
        return isinstance(text, str) and timedelta(seconds=1) <= parse_duration(text) <= LONGEST_WINDOW
    except ValueError:
        return False


def _subset(said: Any, known: Any, at: str) -> Faults:
    if said is None:
        return
    fits = isinstance(said, list) and said and all(isinstance(one, str) and one in known for one in said)
    if not fits:
        yield fault(at, "unknown", f"A list of {', '.join(known)}.")


def _unknown(said: Mapping[str, Any], known: tuple[str, ...], at: str) -> Faults:
    for name in said:
        if name not in known:
            yield fault(pointer(at, name), "unknown_key", f"It has {', '.join(known)}.")
