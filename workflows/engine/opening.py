"""Opening a wait: its rules with the run's values, when it is due, and how far it looks back."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from workflows.definitions.document import Step, Target
from workflows.definitions.durations import parse_duration
from workflows.definitions.paths import is_path, lookup
from workflows.engine.facts import RunFacts, WaitFacts, roots_of
from workflows.engine.matching import bind

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def open_wait(step: Step, run: RunFacts, visit: int, now: datetime) -> WaitFacts:
    """The wait that a run opens when it comes to this step."""
    return WaitFacts(
        step=step.key,
        visit=visit,
        rules=bind(step.rules, run),
        opened_at=now,
        due_at=due_time(step.config, run, now),
        on_timeout=Target.parse(step.config.get("on_timeout")),
        look_back_from=look_back_from(step.config.get("look_back", "since_run_start"), run, now),
    )


def look_back_from(look_back: str, run: RunFacts, now: datetime) -> datetime | None:
    """The earliest receipt of a signal that the wait still takes; None when it does not look back."""
    match look_back:
        case "none":
            return None
        case "since_run_start":
            return run.began_at
        case "since_step":  # since the step before this wait was entered, so that a quick answer to it counts
            return run.step_entered_at
    return now - parse_duration(look_back)


def due_time(config: Mapping[str, Any], run: RunFacts, now: datetime) -> datetime | None:
    """When the wait times out, or None. A time that a path does not lead to is due at once."""
    if "for" in config:
        return now + parse_duration(config["for"])
    if "until" not in config:
        return None
    until = config["until"]
    if "instant" in until:
        return _instant(_value(until["instant"], run), now)
    return _next_local(until, run, now)


def _instant(text: Any, now: datetime) -> datetime:
    try:
        instant = datetime.fromisoformat(str(text))
        return instant.astimezone(UTC) if instant.tzinfo else now
    except (ValueError, OverflowError):
        return now


def _next_local(until: Mapping[str, Any], run: RunFacts, now: datetime) -> datetime:
    """The next time the subject's wall clock shows the time, on an allowed weekday.

    A wall time that a zone skips is taken an hour later, and one that it repeats is taken the first time (PEP 495,
    fold=0).
    """
    zone = _zone(_value(until.get("zone", run.time_zone), run), run.time_zone)
    hour, minute = map(int, until["local_time"].split(":"))
    allowed = until.get("weekday", _WEEKDAYS)
    weekdays = {allowed} if isinstance(allowed, str) else set(allowed)
    today = now.astimezone(zone).replace(hour=hour, minute=minute, second=0, microsecond=0, fold=0)
    for days in range(9):
        local = (today.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=zone)
        due = local.astimezone(UTC)
        if due > now and _WEEKDAYS[local.weekday()] in weekdays:
            return due
    raise AssertionError("a week has every weekday")


def _value(text: str, run: RunFacts) -> Any:
    return lookup({**roots_of(run.data), "run": run.as_tree()}, text) if is_path(text) else text


def _zone(name: Any, fallback: str) -> ZoneInfo:
    try:
        return ZoneInfo(str(name))
    except (OSError, ValueError, KeyError):
        return ZoneInfo(fallback)
