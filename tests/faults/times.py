"""What came too soon: a timer before its time, or work taken from a worker whose lease was not over.

A worker whose clock is wrong does either, where it asks its own clock and not that of the database.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from tests.faults.definitions import LASTS, WAIT_FIRST
from tests.faults.facts import Facts, RunRow, Send, Wait
from tests.faults.ground import LEASE_SECONDS

EXPIRED = "lease_expired"  # why an attempt was lost that nobody ended otherwise
READING = timedelta(seconds=1)  # between two readings of a clock in one statement, on a busy machine


def too_soon(facts: Facts, first: Mapping[str, float]) -> Iterator[str]:
    """Each wait that ended before its time, and each lease that was not respected."""
    for run in facts.runs:
        for wait in run.waits:
            yield from (f"{run.kind} run {run.public_id}: {text}" for text in _early(run, wait, facts))
        yield from (f"{run.kind} run {run.public_id}: {text}" for text in _arrived_early(run, first))
    for send in facts.sends:
        yield from (f"{send.key}: {text}" for text in _stolen(send))


def _early(run: RunRow, wait: Wait, facts: Facts) -> Iterator[str]:
    """By what the rows say of it."""
    if wait.opened_at < run.created_at:
        yield f"its wait opened at {wait.opened_at}, before the run was made at {run.created_at}"
    if wait.closed_at and facts.read_at and wait.closed_at > facts.read_at:
        yield f"its wait ended at {wait.closed_at}, which was still to come"
    if wait.due_at and wait.due_at - wait.opened_at < LASTS.get(run.kind, timedelta()):
        yield f"its wait was opened at {wait.opened_at} until {wait.due_at}"
    if wait.outcome == "timeout" and not (wait.due_at and wait.closed_at and wait.due_at <= wait.closed_at):
        yield f"its wait timed out at {wait.closed_at}, and was to last until {wait.due_at}"


def _arrived_early(run: RunRow, first: Mapping[str, float]) -> Iterator[str]:
    """By when a receiver had the message that follows a wait which nothing but time ended."""
    if [wait.outcome for wait in run.waits] != ["timeout"] or run.kind not in WAIT_FIRST:
        return
    due = run.created_at + LASTS[run.kind]
    for send in run.sends:
        if (at := first.get(send.as_webhook)) is not None and at < due.timestamp():
            yield f"{send.key} arrived {due.timestamp() - at:.2f} s before its wait can have been over"


def _stolen(send: Send) -> Iterator[str]:
    for number, one in enumerate(send.attempts, 1):
        if one.status != "lost" or one.error != EXPIRED or not (one.started_at and one.lease_until and one.finished_at):
            continue
        if one.finished_at < one.lease_until:
            yield f"attempt {number} was lost at {one.finished_at}, and its lease lasted until {one.lease_until}"
        if one.finished_at - one.started_at < timedelta(seconds=LEASE_SECONDS) - READING:
            yield f"attempt {number} was lost {one.finished_at - one.started_at} after it began"
