"""The admin of workflows: runs and why they stand where they stand, definitions, waits, work under way."""

from workflows.admin import concerns, definitions, runs, schedules, signals, waits, work

__all__ = ["concerns", "definitions", "runs", "schedules", "signals", "waits", "work"]
