"""Sentences about signals: one for every verdict and reason, of a run and overall."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from signals_app.models import Signal
from workflows.explain.wording import counted, instant, listed, matched, quoted
from workflows.models import Definition, DefinitionStatus, SignalVerdict

OPERATORS = {
    "eq": "equal to what is asked",
    "ne": "different from what is ruled out",
    "lt": "less than the limit",
    "lte": "at most the limit",
    "gt": "more than the limit",
    "gte": "at least the limit",
    "in": "in the list",
    "not_in": "outside the list",
    "contains": "something that contains what is asked",
    "starts_with": "something that starts with what is asked",
    "exists": "as its presence is asked",
}


def run_sentence(row: SignalVerdict) -> str:
    """What the signal meant to one run."""
    sentence = _OF_RUN.get((row.verdict, row.reason)) or _OF_RUN.get((row.verdict, ""))
    return sentence(row) if sentence else f"For this run it was {row.verdict} ({row.reason})."


def overall_sentence(
    signal: Signal, verdict: str, reason: str, runs: int, starters: Sequence[Definition], now: datetime
) -> str:
    """What became of the signal as a whole; where no run exists, why."""
    if signal.routed_at is None and not verdict:
        said = _unrouted(signal, now)
    elif runs:
        said = f"{_FOR_RUNS.get(verdict, verdict.capitalize())} ({counted(runs, 'run')} concerned)."
    else:
        said = f"No run exists for it because {_no_run(signal, verdict, reason)}.{_unpublished(starters)}"
    repeated = counted(signal.duplicate_count, "more time")
    return f"{said} It was sent {repeated}, which changed nothing." if signal.duplicate_count else said


def clause(context: Mapping[str, Any]) -> str:
    """The clause of a condition that decided: path, comparison, and type and digest of the input, never its value."""
    because = context.get("because")
    if because:
        return listed([clause(one) for one in because])
    path, op, kind = (str(context.get(name) or "") for name in ("path", "op", "input_type"))
    if context.get("reason") == "missing":
        return f"{path} was missing"
    digest = f" with digest {context['input_digest']}" if context.get("input_digest") else ""
    what = f"{path} was a {kind}{digest}" if kind else path or "it"
    was = "" if context.get("held") else "not "
    return f"{what}, {was}{OPERATORS[op]}" if op in OPERATORS else f"{what} did not hold"


def _unrouted(signal: Signal, now: datetime) -> str:
    if signal.route_failures:
        again = f" and tries again at {instant(signal.route_after, now)}" if signal.route_after else ""
        return f"Not routed yet: the engine failed on it {counted(signal.route_failures, 'time')}{again}."
    return f"Accepted at {instant(signal.received_at, now)} and not routed yet; the engine takes it up next."


def _no_run(signal: Signal, verdict: str, reason: str) -> str:
    context = signal.verdict_context
    definition = f" of {context['definition']}" if context.get("definition") else ""
    match verdict, reason:
        case "rejected", "condition_not_met":
            return f"the start condition{definition} was not met: {clause(context)}"
        case "rejected", "start_refused":
            faults = [f"{one['path']} ({one['code']})" for one in context.get("faults", ())]
            return f"the start{definition} was refused: {listed(faults) if faults else 'it was not valid'}"
        case "rejected", "definition_off":
            return f"the definition{definition} is switched off and starts nothing"
        case "rejected", "limit_reached":
            return f"a run{definition} was not started: the tenant had used up its limit {context.get('limit', '')}"
        case "buffered", _:
            about = matched(signal.correlation) or matched({"subject": signal.subject} if signal.subject else None)
            return f"none waits for {signal.name}{about} yet; a run that starts later may still look back and use it"
        case "unmatched", _:
            return f"no published definition starts on {signal.name} or waits for it"
    return f"it was {verdict} ({reason})"


def _unpublished(starters: Sequence[Definition]) -> str:
    """Versions that would start on the signal if they were published."""
    if any(one.status == DefinitionStatus.PUBLISHED for one in starters):
        return ""
    named = [f"{one} ({one.status})" for one in starters]
    return f" It would start {listed(named)}, if a version were published." if named else ""


_FOR_RUNS = {
    "matched": "It ended a wait",
    "started": "It started a run",
    "buffered": "It came early and is kept for a wait that may open later",
    "rejected": "A condition refused it",
    "late": "It came too late",
    "expired": "It came early and no wait used it",
}

_OF_RUN: Mapping[tuple[str, str], Callable[[SignalVerdict], str]] = {
    ("matched", "wait_ended"): lambda row: f"It ended the wait {quoted(row.wait_step)}.",
    ("matched", "early_signal_used"): lambda row: (
        f"It came before the wait {quoted(row.wait_step)} opened, was kept, and ended it at once."
    ),
    ("started", ""): lambda row: f"It started this run of {row.context['definition']} v{row.context['version']}.",
    ("buffered", ""): lambda row: "It came before any wait for it was open, and is kept for one.",
    ("buffered", "definition_off"): lambda row: (
        "It came while the definition was switched off, and is kept until the run goes on."
    ),
    ("rejected", "condition_not_met"): lambda row: (
        f"The wait {quoted(row.wait_step)} refused it: {clause(row.context)}."
    ),
    ("late", "run_finished"): lambda row: "The run had ended before it came.",
    ("late", "wait_passed"): lambda row: "The run had passed every wait for it before it came.",
    ("expired", "run_finished"): lambda row: "It was kept for a later wait, and the run ended without one.",
}
