"""The admin of workflows: runs and why they stand where they stand, definitions, waits, work under way, retention."""

from workflows.admin import (
    concerns,
    definitions,
    digests,
    event_subscriptions,
    events,
    external,
    heads,
    holds,
    retention,
    runs,
    schedules,
    signals,
    sticky,
    waits,
    work,
)

__all__ = [
    "concerns",
    "definitions",
    "digests",
    "event_subscriptions",
    "events",
    "external",
    "heads",
    "holds",
    "retention",
    "runs",
    "schedules",
    "signals",
    "sticky",
    "waits",
    "work",
]
