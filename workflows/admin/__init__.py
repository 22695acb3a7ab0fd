"""The admin of workflows: runs and why they stand where they stand, definitions, waits, work under way, retention."""

from workflows.admin import concerns, definitions, holds, retention, runs, schedules, signals, waits, work

__all__ = ["concerns", "definitions", "holds", "retention", "runs", "schedules", "signals", "waits", "work"]
