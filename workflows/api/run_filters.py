"""The filters of a list of runs: each is known, or refused by its name."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from chimeway_py.errors import Invalid, fault
from signals_app.instants import read_instant
from workflows.querysets import RunQuerySet
from workflows.states import RunState

FILTERS = ("workflow", "state", "subject", "waiting_on", "broadcast", "due_before", "created_after", "created_before")
_CORRELATION = re.compile(r"correlation\.([a-z0-9_]{1,50})", re.ASCII)
_PAGING = {"limit", "cursor"}


def correlation_filters(query: Mapping[str, Any]) -> tuple[str, ...]:
    """The names in a query that ask for a correlation value: `correlation.<name>`."""
    return tuple(name for name in query if _CORRELATION.fullmatch(name))


def filtered(rows: RunQuerySet, query: Mapping[str, str]) -> RunQuerySet:
    """The runs that a query asks for; its names were checked. Raises `Invalid` for values that mean nothing."""
    faults = [*_faults(query)]
    if faults:
        raise Invalid("The query is not valid.", faults)
    for name, value in query.items():
        if name not in _PAGING:
            rows = _narrowed(rows, name, value)
    return rows


def _narrowed(rows: RunQuerySet, name: str, value: str) -> RunQuerySet:
    correlation = _CORRELATION.fullmatch(name)
    if correlation:
        return rows.filter(correlation__contains={correlation.group(1): value})
    return _NARROW[name](rows, value)


_NARROW: Mapping[str, Callable[[RunQuerySet, str], RunQuerySet]] = {
    "workflow": lambda rows, value: rows.filter(definition_key=value),
    "state": lambda rows, value: rows.filter(state=value),
    "subject": lambda rows, value: rows.filter(subject=value),
    "waiting_on": lambda rows, value: rows.waiting_on(value),
    "broadcast": lambda rows, value: rows.of_broadcast(value),
    "due_before": lambda rows, value: rows.filter(due_at__lt=_instant(value)),
    "created_after": lambda rows, value: rows.filter(created_at__gt=_instant(value)),
    "created_before": lambda rows, value: rows.filter(created_at__lt=_instant(value)),
}


def _faults(query: Mapping[str, str]) -> Iterator[dict[str, str]]:
    if query.get("state", RunState.WAITING) not in RunState.values:
        yield fault("/state", "unknown_state", f"One of {', '.join(RunState.values)}.")
    for name in ("due_before", "created_after", "created_before"):
        if name in query and _instant(query[name]) is None:
            yield fault(f"/{name}", "bad_time", "An instant with an offset, such as 2026-11-20T09:30:00Z.")


def _instant(text: str) -> datetime | None:
    return read_instant(text.replace(" ", "+"))  # a plus that was not escaped arrives as a space
