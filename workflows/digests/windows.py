"""When a digest closes: after a time, after a pause, or at the next occurrence of a schedule. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from chimeway_py.errors import fault
from workflows.definitions.durations import parse_duration
from workflows.services.occurrences import occurrence_faults, occurrences_after

SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=31)
_DURATION = {"$ref": "#/$defs/duration"}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


WINDOW: Mapping[str, Any] = {
    "description": "{fixed: PT1H}, {sliding: {quiet: PT10M, at_most: PT2H}} or {schedule: {cron: …, zone: …}}",
    "oneOf": [
        _object({"fixed": _DURATION}, "fixed"),
        _object({"sliding": _object({"quiet": _DURATION, "at_most": _DURATION}, "quiet", "at_most")}, "sliding"),
        _object(
            {
                "schedule": _object(
                    {"cron": {"type": "string", "maxLength": 100}, "zone": {"type": "string", "maxLength": 64}}, "cron"
                )
            },
            "schedule",
        ),
    ],
}
"""The window of a digest in JSON Schema."""


def window_faults(window: Mapping[str, Any], path: str) -> Iterator[dict[str, str]]:
    """What the schema cannot see: lengths that make no sense, a cron expression that never occurs."""
    if "fixed" in window:
        yield from _length(window["fixed"], f"{path}/fixed")
    elif "sliding" in window:
        sliding = window["sliding"]
        for name in ("quiet", "at_most"):
            yield from _length(sliding[name], f"{path}/sliding/{name}")
        if parse_duration(sliding["at_most"]) < parse_duration(sliding["quiet"]):
            yield fault(f"{path}/sliding/at_most", "duration", "At least as long as `quiet`.")
    else:
        schedule = window["schedule"]
        for one in occurrence_faults(schedule["cron"], schedule.get("zone", "UTC")):
            place = "cron" if one["path"] == "/expression" else "zone"
            yield fault(f"{path}/schedule/{place}", one["code"], one["message"])


def first_end(window: Mapping[str, Any], now: datetime, zone: str) -> datetime:
    """When a digest closes that opens now. `zone` is that of the recipient, or empty."""
    if "fixed" in window:
        return now + parse_duration(window["fixed"])
    if "sliding" in window:
        return now + parse_duration(window["sliding"]["quiet"])
    schedule = window["schedule"]
    return next(occurrences_after(schedule["cron"], zone or schedule.get("zone") or "UTC", now))


def next_end(window: Mapping[str, Any], opened_at: datetime, ends_at: datetime, now: datetime) -> datetime:
    """When it closes now that one more item has come. A time that is up is not put off."""
    if "sliding" not in window or ends_at <= now:
        return ends_at
    sliding = window["sliding"]
    quiet, most = parse_duration(sliding["quiet"]), parse_duration(sliding["at_most"])
    return max(ends_at, min(now + quiet, opened_at + most))


def _length(text: str, path: str) -> Iterator[dict[str, str]]:
    if not SHORTEST <= parse_duration(text) <= LONGEST:
        yield fault(path, "duration", "From PT1S to P31D.")
