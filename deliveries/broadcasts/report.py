"""What became of all targets of a broadcast, as CSV."""

from collections.abc import Iterator, Sequence
from typing import Any

from chimeway_py.csvtext import csv_lines
from deliveries.broadcasts.standing import target_states
from deliveries.models import Broadcast

HEADINGS = ("position", "subject", "outcome", "reason", "run_id")


def report_lines(broadcast: Broadcast) -> Iterator[str]:
    """A line for each target, after one of headings. Needs the tenant's scope while it is read."""
    return csv_lines(_rows(broadcast))


def _rows(broadcast: Broadcast) -> Iterator[Sequence[Any]]:
    yield HEADINGS
    for state in target_states(broadcast):
        yield state.position, state.subject, state.outcome, state.reason, state.run
