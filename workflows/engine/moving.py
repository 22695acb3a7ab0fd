"""Going over to another version: the run keeps its place in the journey, and its open wait as far as it can."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from workflows.definitions.document import Step
from workflows.engine.events import VersionChanged
from workflows.engine.facts import BoundRule, Judged, Park, RunFacts, WaitFacts
from workflows.engine.journey import Journey
from workflows.engine.matching import bind, is_meant, listens_later
from workflows.states import Reason, RunState
from workflows.steps.registry import step_kind


def change_version(journey: Journey, event: VersionChanged) -> None:
    """Stand on the new version. `journey` walks that one already; `event.left` is the step of the old one."""
    run, wait = journey.run, journey.run.wait
    if run.is_finished:
        return
    context: dict[str, Any] = {"version_from": event.version_from, "version_to": event.version_to, "why": event.reason}
    if wait is None or event.step is None or event.left is None:
        journey.note(event.cause, event.cause_ref, Reason.VERSION_CHANGED, context)
        return
    if not event.opens_anew:
        journey.note(event.cause, event.cause_ref, Reason.VERSION_CHANGED, {**context, "wait": "kept"})
        _keep_early(journey, event)
        return
    _open_anew(journey, event, wait, journey.document.by_key[event.step], context)


def _open_anew(journey: Journey, event: VersionChanged, wait: WaitFacts, step: Step, context: dict[str, Any]) -> None:
    """The open wait ends, and the new version's is opened in its place, as though it had been open since then."""
    run = journey.run
    assert event.left is not None
    visit = run.visits.get(step.key, 0) + 1
    opened = _wait_of(step, run, visit, wait, event)
    journey.close_wait("version_changed")
    context |= {"wait": "opened_anew", "step_from": wait.step, "step_to": step.key}
    if _is_over(wait, journey.now) and not _is_over(opened, journey.now):
        context["beaten"] = "timer"  # both were due; the move took the row lock first
    if run.state == RunState.PAUSED:
        run.step, run.visits = step.key, {**run.visits, step.key: visit}
        context["due_at"] = opened.due_at and opened.due_at.isoformat()
        journey.note(event.cause, event.cause_ref, Reason.VERSION_CHANGED, context)
        _keep_early(journey, event, opened.rules)
        run.wait = opened
        journey.decision.opened.append((opened, ""))
        return
    journey.note(event.cause, event.cause_ref, Reason.VERSION_CHANGED, context)
    _keep_early(journey, event, opened.rules)
    run.step, run.visits = step.key, {**run.visits, step.key: visit}
    journey.park(opened)


def _is_over(wait: WaitFacts, now: datetime) -> bool:
    return wait.due_at is not None and wait.due_at <= now


def _wait_of(step: Step, run: RunFacts, visit: int, open_: WaitFacts, event: VersionChanged) -> WaitFacts:
    entered = step_kind(step.kind).enter(step, run, visit, open_.opened_at)
    assert isinstance(entered, Park)
    assert event.left is not None
    wait, left = entered.wait, event.left.config
    if event.due == "keep" and wait.due_at is not None and open_.due_at is not None:
        wait = replace(wait, due_at=open_.due_at)
    if step.config.get("look_back") == left.get("look_back"):
        wait = replace(wait, look_back_from=open_.look_back_from)
    if step.config.get("remind_after") == left.get("remind_after"):
        wait = replace(wait, remind_at=open_.remind_at)  # None once it was reminded
    return wait


def _keep_early(journey: Journey, event: VersionChanged, opening: tuple[BoundRule, ...] = ()) -> None:
    """Keep what came before the move and only the new version listens for: for this wait, or for a later one."""
    run, document = journey.run, journey.document
    anywhere = tuple(rule for step in document.steps for rule in bind(step.rules, run))
    for signal in event.early:
        rules = anywhere if listens_later(document, str(event.step), signal.name) else opening
        if any(is_meant(rule, signal, run) for rule in rules):
            run.pending_signals += 1
            run.buffered = tuple(sorted((*run.buffered, signal), key=lambda one: (one.received_at, one.id)))
            journey.decision.used.append((signal, Judged("buffered", "no_wait_open")))
            journey.note_signal(signal)
