"""What every step that rests has in common: a time, and signals that end it."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from chimeway_py.errors import fault
from workflows.definitions.condition_checks import check_condition
from workflows.definitions.durations import parse_duration
from workflows.definitions.paths import RUN_ROOTS, SIGNAL_ROOTS, is_path, path_fault
from workflows.steps.base import CheckContext, Fault

SHORTEST_WAIT = timedelta(milliseconds=100)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_BACKS = ("since_run_start", "since_step", "none")

_DURATION = {"$ref": "#/$defs/duration"}
_TARGET = {"$ref": "#/$defs/target"}
_WEEKDAY = {"enum": list(WEEKDAYS)}
_UNTIL = {
    "type": "object",
    "description": "{instant: …} or {local_time: 'HH:MM', weekday: …, zone: …}",
    "properties": {
        "instant": {"type": "string", "maxLength": 200},
        "local_time": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$", "description": "HH:MM"},
        "weekday": {
            "description": f"one of {', '.join(WEEKDAYS)}, or a list of them",
            "anyOf": [_WEEKDAY, {"type": "array", "items": _WEEKDAY, "minItems": 1, "uniqueItems": True}],
        },
        "zone": {"type": "string", "maxLength": 200},
    },
    "oneOf": [{"required": ["instant"]}, {"required": ["local_time"]}],
    "dependentRequired": {"weekday": ["local_time"], "zone": ["local_time"]},
    "additionalProperties": False,
}
_SOURCE = {
    "description": "run.correlation.<name>, run.subject, run.id or {const: <text>}",
    "oneOf": [
        {"type": "string", "pattern": r"^run\.(id|subject|correlation\.[a-z0-9_]{1,50})$"},
        {
            "type": "object",
            "properties": {"const": {"type": "string", "maxLength": 200}},
            "required": ["const"],
            "additionalProperties": False,
        },
    ],
}
_RULE = {
    "type": "object",
    "properties": {
        "name": {"$ref": "#/$defs/signal_name"},
        "match": {
            "type": "object",
            "propertyNames": {"pattern": "^[a-z0-9_]{1,50}$", "description": "1 to 50 of a-z, 0-9 and _"},
            "additionalProperties": _SOURCE,
            "minProperties": 1,
            "maxProperties": 8,
        },
        "when": {"$ref": "#/$defs/condition"},
        "then": _TARGET,
    },
    "required": ["name"],
    "additionalProperties": False,
}
RESTING: Mapping[str, Any] = {
    "for": _DURATION,
    "until": _UNTIL,
    "signals": {"type": "array", "items": _RULE, "minItems": 1, "maxItems": 20},
    "look_back": {
        "description": f"{', '.join(LOOK_BACKS)} or an ISO 8601 duration",
        "anyOf": [{"enum": list(LOOK_BACKS)}, _DURATION],
    },
    "on_timeout": _TARGET,
}


def check_resting(step: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    """Faults of the time, of what may not stand together, and of each signal. `step` has the keys of `RESTING`."""
    yield from _check_time(step, path)
    if "until" in step:
        yield from _check_until(step["until"], f"{path}/until", context)
    for position, rule in enumerate(step.get("signals", ())):
        yield from _check_rule(rule, f"{path}/signals/{position}", context)


def has_timer(step: Mapping[str, Any]) -> bool:
    """Whether the step ends by itself at some time."""
    return "for" in step or "until" in step


def _check_time(step: Mapping[str, Any], path: str) -> Iterator[Fault]:
    if "for" in step and "until" in step:
        yield fault(f"{path}/until", "conflict", "A wait has either `for` or `until`, not both.")
    if not has_timer(step) and "on_timeout" in step:
        yield fault(f"{path}/on_timeout", "no_timer", "`on_timeout` never happens without `for` or `until`.")
    if "look_back" in step and "signals" not in step:
        yield fault(f"{path}/look_back", "no_signals", "`look_back` has a meaning only with `signals`.")
    if "for" in step and parse_duration(step["for"]) < SHORTEST_WAIT:
        yield fault(f"{path}/for", "duration", "A wait lasts at least PT0.1S.")


def _check_until(until: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    instant, zone = until.get("instant"), until.get("zone")
    if instant is not None:
        wrong = _path_or(instant, context, _is_instant, "an instant with its offset, such as 2027-01-31T09:00:00+01:00")
        if wrong:
            yield fault(f"{path}/instant", "instant", wrong)
    if zone is not None:
        wrong = _path_or(zone, context, is_zone, "a time zone such as Europe/Berlin")
        if wrong:
            yield fault(f"{path}/zone", "time_zone", wrong)


def _path_or(text: str, context: CheckContext, is_literal: Any, expected: str) -> str | None:
    """What is wrong with a text that is either a literal or a path into the run."""
    if is_path(text):
        return path_fault(text, RUN_ROOTS, context.correlation_names)
    return None if is_literal(text) else f"Write {expected}, or a path such as data.due_at."


def _is_instant(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def is_zone(text: str) -> bool:
    """Whether it names a time zone such as Europe/Berlin."""
    if not re.fullmatch(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*", text):
        return False
    try:
        return bool(ZoneInfo(text).key)
    except (OSError, ValueError, KeyError):  # no such zone, a folder of zones, or a file that is not one
        return False


def _check_rule(rule: Mapping[str, Any], path: str, context: CheckContext) -> Iterator[Fault]:
    for name, source in rule.get("match", {}).items():
        wrong = isinstance(source, str) and path_fault(source, RUN_ROOTS, context.correlation_names)
        if wrong:
            yield fault(f"{path}/match/{name}", "undeclared_correlation", wrong)
    if "when" in rule:
        yield from check_condition(
            rule["when"], f"{path}/when", lambda text: path_fault(text, SIGNAL_ROOTS, context.correlation_names)
        )
