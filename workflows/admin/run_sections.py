"""The tables of a run's page: its waits, its attempts, its signals with their verdicts."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.utils.html import format_html
from django.utils.safestring import SafeString

from tenants.admin import words
from tenants.admin.pages import Section
from workflows.explain import Explanation
from workflows.explain.signal_sentences import run_sentence
from workflows.models import Attempt, Run, SignalVerdict, StepRun, Tombstone, Wait

MOST_ROWS = 100


def waits(run: Run) -> Section:
    """Every wait the run has opened: what it listened for, until when, and how it ended."""
    found = Wait.objects.filter(tenant_id=run.tenant_id, run=run).order_by("-id")[:MOST_ROWS]
    rows = [
        [
            f"{wait.step} #{wait.visit}",
            "; ".join(_ends(wait)) or "its time alone",
            words.moment(wait.opened_at),
            words.moment(wait.due_at),
            _outcome(wait),
            words.moment(wait.closed_at),
        ]
        for wait in found
    ]
    return Section(
        "Waits", ["Step", "Listens for", "Opened", "Due", "Outcome", "Closed"], rows, "It has not waited yet."
    )


def undoing(said: Explanation) -> list[Section]:
    """How an ended run is undone, in order; nothing at all when it is not."""
    rows = [
        [
            f"{one.step} #{one.visit}",
            words.badge(one.status),
            one.outcome or "–",
            one.attempts_made,
            words.moment(one.due_at),
        ]
        for one in said.compensations
    ]
    return [Section("Undoing", ["Step", "Status", "Outcome", "Attempts", "Due"], rows)] if rows else []


def attempts(run: Run) -> Section:
    """Every try at owed work, newest first."""
    found = Attempt.objects.filter(tenant_id=run.tenant_id, step_run__tenant_id=run.tenant_id, step_run__run=run)
    rows = [
        [
            _visit(one.step_run),
            one.number,
            words.badge(one.outcome or one.status),
            one.error or "–",
            words.moment(one.started_at),
            words.moment(one.finished_at),
            words.moment(one.retry_at),
            one.worker,
        ]
        for one in found.select_related("step_run").order_by("-id")[:MOST_ROWS]
    ]
    headings = ["Step", "Number", "Outcome", "Error", "Started", "Finished", "Next try", "Worker"]
    return Section("Attempts", headings, rows, "No work was tried outside the engine.")


def signals(run: Run) -> Section:
    """Every signal that this run was a candidate for, and what it came to."""
    found = SignalVerdict.objects.filter(tenant_id=run.tenant_id, run=run).select_related("signal")
    rows = [
        [
            words.link(one.signal, one.name),
            words.badge(one.verdict),
            run_sentence(one),
            words.moment(one.received_at),
            words.moment(one.decided_at),
        ]
        for one in found.order_by("-id")[:MOST_ROWS]
    ]
    headings = ["Signal", "Verdict", "What it came to", "Received", "Judged"]
    return Section("Signals", headings, rows, "No signal has concerned this run.")


def replays(run: Run) -> list[Section]:
    """The runs that were started from this one, newest first; nothing at all when there are none."""
    there = Run.objects.for_tenant(run.tenant_id).filter(replayed_from_id=run.pk)
    gone = Tombstone.objects.filter(tenant_id=run.tenant_id, replayed_from=run.public_id)
    rows = [
        [words.link(one, words.short(one.public_id)), words.badge(one.state), words.moment(one.created_at)]
        for one in there.order_by("-id")[:MOST_ROWS]
    ]
    rows += [
        [
            words.link(one, words.short(one.run_public_id)),
            format_html("{} and pruned", words.badge(one.state)),
            words.moment(one.created_at),
        ]
        for one in gone.order_by("-run_id")[: MOST_ROWS - len(rows)]
    ]
    return [Section("Replays", ["Run", "State", "Started"], rows)] if rows else []


def lineage_link(tenant_id: int, public_id: UUID) -> str | SafeString:
    """A link to a run, or to what stays of it."""
    run = Run.objects.for_tenant(tenant_id).filter(public_id=public_id).first()
    stones = Tombstone.objects.filter(tenant_id=tenant_id, run_public_id=public_id)
    return words.link(run or stones.order_by("-id").first(), words.short(public_id))


def _ends(wait: Wait) -> Iterator[str]:
    """What ends a wait besides its time."""
    if wait.routes:
        yield f"a decision of {', '.join(wait.actors) or 'anybody'}"
    yield from (_listens(rule) for rule in wait.signals)


def _outcome(wait: Wait) -> SafeString:
    """How a wait ended, and by whom when somebody decided."""
    badge = words.badge(wait.outcome or "open")
    return format_html("{} by {}", badge, wait.decided_by) if wait.decided_by else badge


def _listens(rule: dict[str, Any]) -> str:
    match = rule.get("match")
    return f"{rule['name']} ({words.pairs(match)})" if match else f"{rule['name']} (its subject)"


def _visit(step_run: StepRun) -> str:
    resend = f", resend {step_run.resend}" if step_run.resend else ""
    undone = "undoing " if step_run.undo else ""
    return f"{undone}{step_run.step} #{step_run.visit}{resend}"
