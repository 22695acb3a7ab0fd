"""The latest outcome of a run's work, and whether it has to be said: a run may go on although nothing was sent."""

from workflows.explain.explanation import LastOutcome
from workflows.explain.picture import Picture, SeenLine
from workflows.explain.wording import decider, outcome, quoted
from workflows.states import Reason

WITHOUT_EFFECT = frozenset({"suppressed", "temporary_failure", "retries_exhausted", "permanent_failure", "bounced"})
"""Outcomes of work that did not do what it is for."""

_SAID = ("outcome", "error", "decided_by", "rule")
_TOLD = frozenset({Reason.STEP_SETTLED, Reason.OUTCOME_NOTED})


def last_outcome(picture: Picture) -> LastOutcome | None:
    """How the latest work that ended did end, of whichever step; None before any has."""
    line = told_by(picture)
    if line is not None:
        step = str(line.context.get("of") or line.step)
        word, error, by, rule = (str(line.context.get(name) or "") for name in _SAID)
        return LastOutcome(step, word, error, line.occurred_at, by, rule)
    last = picture.last  # its line may lie further back than what was read of the trace
    if last is None or last.finished_at is None or last.retry_at is not None or not last.outcome:
        return None
    return LastOutcome(last.step, last.outcome, last.error, last.finished_at)


def told_by(picture: Picture) -> SeenLine | None:
    """The line of the trace that tells it, if it was read."""
    told = [line for line in picture.trace if line.reason in _TOLD]
    return told[-1] if told else None


def had_no_effect(picture: Picture) -> bool:
    """Whether the latest outcome says that nothing was done, sent or received."""
    last = last_outcome(picture)
    return last is not None and last.outcome in WITHOUT_EFFECT


def without_effect(picture: Picture) -> str:
    """“m” ended with permanent_failure (no_recipient). An empty text where nothing failed."""
    last = last_outcome(picture)
    if last is None or last.outcome not in WITHOUT_EFFECT:
        return ""
    if last.decided_by:
        return f"{quoted(last.step)} was {last.outcome} by {decider(last.decided_by)}: {last.rule}."
    return f"{quoted(last.step)} ended with {outcome(last.outcome, last.error)}."
