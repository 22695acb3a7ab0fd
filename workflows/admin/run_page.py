"""The page of a run: the sentence first, then what happens next, the steps with the path taken, and the evidence."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from tenants.admin import words
from tenants.admin.pages import Button, Page
from workflows.admin.run_sections import attempts, lineage_link, replays, signals, undoing, waits
from workflows.admin.settling import settle_buttons
from workflows.explain import Explanation, explain_run
from workflows.explain.explanation import Action, Next, NextOn
from workflows.graph import draw_graph, path_taken
from workflows.history.lineage import origin_of
from workflows.models import Run, Transition
from workflows.services.documents import documents
from workflows.states import Cause
from workflows.trace import in_words

MOST_LINES = 500
TONES = {"completed": "good", "failed": "bad", "expired": "bad", "waiting": "calm", "paused": "calm"}


def run_page(run: Run) -> Page:
    """Everything about one run that an operator may see: structure and declared values, never a payload."""
    said = explain_run(tenant_id=run.tenant_id, public_id=run.public_id)
    latest = Transition.objects.filter(tenant_id=run.tenant_id, run=run).order_by("-seq")[:MOST_LINES]
    lines = in_words(run.tenant_id, latest)[::-1]
    version = documents(run.tenant_id, [run.definition_id])[run.definition_id]
    return Page(
        title=f"{said.definition} for {said.subject or 'nobody'}",
        lead=said.sentence,
        tone=TONES.get(said.state, "plain"),
        facts=list(_facts(run, said)),
        buttons=[button for one in said.actions for button in _buttons(run, one, bool(version.document.compensating))],
        sections=[*undoing(said), waits(run), attempts(run), signals(run), *replays(run)],
        more={
            "next": [_next(one) for one in said.next],
            "graph": mark_safe(draw_graph(version.document, path_taken(lines))),  # noqa: S308  built as elements
            "days": _by_day(lines),
            "left_out": lines[0].seq - 1 if lines else 0,
            "evidence": set(said.evidence),
        },
    )


def _facts(run: Run, said: Explanation) -> Iterator[tuple[str, Any]]:
    yield "State", words.badge(said.state)
    yield "Reason", said.reason.replace("_", " ")
    yield "Step", said.step or "–"
    yield "Since", words.moment(said.since)
    if run.due_at is not None:
        yield "Due", words.moment(run.due_at)
    if said.suspended_until is not None:
        yield "Paused until", words.moment(said.suspended_until)
    if said.deadline_at is not None:
        yield "Deadline", words.instant(said.deadline_at) if run.is_finished else words.moment(said.deadline_at)
    yield "Workflow", words.link(run.definition, f"{said.definition} v{said.version}")
    yield "Subject", said.subject or "–"
    yield "Correlation", words.pairs(run.correlation)
    yield "Started", words.moment(run.created_at)
    if (origin := origin_of(run)) is not None:
        yield "Replay of", lineage_link(run.tenant_id, origin)
    if run.finished_at is not None:
        yield "Finished", words.moment(run.finished_at)
    if said.pending_signals:
        yield "Early signals kept", said.pending_signals
    if said.engine_failures:
        yield "Engine failures", said.engine_failures
    yield "Public id", run.public_id


def _buttons(run: Run, one: Action, can_be_undone: bool) -> list[Button]:
    """What is said of an unknown outcome is an action of its own; all of them are hidden while nothing is unknown.

    Undoing is offered where some step says how.
    """
    why_not = "" if one.allowed else one.why_not
    if one.name == "settle":
        return settle_buttons(run) if one.allowed else []
    if one.name == "compensate":
        return [Button("Undo", action=one.name, why_not=why_not)] if can_be_undone else []
    if one.name == "cancel" and can_be_undone:
        names = {"Cancel": one.name, "Cancel and undo": "cancel_and_undo"}
        return [Button(verb, action=name, why_not=why_not) for verb, name in names.items()]
    return [Button(one.name.capitalize(), action=one.name, why_not="" if one.allowed else one.why_not)]


def _next(one: Next) -> SafeString:
    """When that happens, the run does this."""
    return format_html('{} <span class="cw-arrow">→</span> <strong>{}</strong>', _when(one), _leads(one.then))


def _when(one: Next) -> str | SafeString:
    match one.on:
        case NextOn.SIGNAL:
            return format_html("signal <code>{}</code>", one.name)
        case NextOn.OUTCOME:
            return f"outcome {one.name.replace('_', ' ')}" if one.name else "any other outcome"
        case NextOn.DECISION:
            return f"somebody {'approves' if one.name == 'approve' else 'rejects'} it"
        case NextOn.COMPENSATION:
            return format_html("undoing {}", words.moment(one.at) if one.at else "")
        case NextOn.TIMER:
            return format_html("at {}", words.moment(one.at))
    return format_html("{} {}", one.on.value, words.moment(one.at) if one.at else "")


def _leads(then: Mapping[str, Any]) -> str:
    if "step" in then:
        attempt = f", attempt {then['attempt']} of {then['of']}" if "attempt" in then else ""
        return f"{then['step']}{attempt}"
    return f"{then['state']} ({then['reason']})" if then.get("reason") else str(then["state"])


def _by_day(lines: Sequence[Transition]) -> list[tuple[str, list[dict[str, Any]]]]:
    """The lines of a trace under the date of their day, in UTC."""
    days = groupby(lines, key=lambda line: f"{line.occurred_at:%Y-%m-%d}")
    return [(day, [_line(line) for line in group]) for day, group in days]


def _line(line: Transition) -> dict[str, Any]:
    """One line of the trace with links to its evidence."""
    context = {name: value for name, value in line.context.items() if name != "delivery"}
    return {
        "seq": line.seq,
        "at": words.clock(line.occurred_at),
        "to": words.badge(line.to_state),
        "moved": line.from_state != line.to_state,
        "step": f"{line.step} #{line.visit}" if line.visit > 1 else line.step,
        "reason": line.reason.replace("_", " "),
        "cause": _cause(line),
        "delivery": line.delivery or line.context.get("delivery"),
        "context": words.pairs(context) if context else "",
    }


def _cause(line: Transition) -> str | SafeString:
    if line.cause == Cause.SIGNAL and line.cause_ref:
        url = reverse("admin:signals_app_signal_change", args=[line.cause_ref])
        return format_html('signal <a href="{}">{}</a>', url, words.short(line.cause_ref))
    if line.cause in {Cause.API, Cause.OPERATOR}:
        return f"{line.cause} {line.cause_ref}".strip()
    return line.cause
