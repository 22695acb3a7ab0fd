"""Whether a signal is meant for a run: the one place that compares match values, and the index keys made from them."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from workflows.definitions.conditions import evaluate
from workflows.definitions.document import Document, SignalRule
from workflows.definitions.graph import edges, reachable
from workflows.engine.facts import BoundRule, Judged, RunFacts, SignalFacts, roots_of

SUBJECT_ATTRIBUTE = "@subject"


def match_value(source: Any, run: RunFacts) -> str | None:
    """What a match source (`run.correlation.x`, `run.subject`, `run.id`, {const: v}) is for a run, or None."""
    if isinstance(source, Mapping):
        return str(source["const"])
    if source == "run.subject":
        return run.subject
    if source == "run.id":
        return run.public_id
    return run.correlation.get(source.removeprefix("run.correlation."))


def bind(rules: tuple[SignalRule, ...], run: RunFacts) -> tuple[BoundRule, ...]:
    """The rules with the run's values filled in.

    A rule whose value the run does not have can never match and is left out.
    """
    bound = []
    for rule in rules:
        match = None if rule.match is None else {name: match_value(source, run) for name, source in rule.match}
        if match is None or all(value is not None for value in match.values()):
            bound.append(BoundRule(rule.name, match, rule.when, rule.then))  # type: ignore[arg-type]
    return tuple(bound)


def is_meant(rule: BoundRule, signal: SignalFacts, run: RunFacts) -> bool:
    """Whether the names and values of a rule and a signal agree; conditions are judged apart."""
    if rule.name != signal.name:
        return False
    if rule.match is None:
        return signal.subject == run.subject
    return all(signal.correlation.get(name) == value for name, value in rule.match.items())


def judge(
    rules: tuple[BoundRule, ...], signal: SignalFacts, run: RunFacts, wait_step: str
) -> tuple[BoundRule | None, Judged | None]:
    """The first rule that takes the signal; else the judgement of the condition that refused it; else neither."""
    refused = None
    for rule in rules:
        if not is_meant(rule, signal, run):
            continue
        if rule.when is None:
            return rule, None
        judgement = evaluate(rule.when, {"signal": signal.as_tree(), **roots_of(run.data), "run": run.as_tree()})
        if judgement.held:
            return rule, None
        refused = refused or Judged("rejected", "condition_not_met", wait_step, judgement.as_context())
    return None, refused


def listener_keys(document: Document, run: RunFacts) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """(signal name, index key, other match values) of every signal that a step of the run could wait for."""
    seen = set()
    for step in document.steps:
        for rule in bind(step.rules, run):
            name, key, rest = (rule.name, *index_key(rule.match, run.subject))
            if (mark := (name, key, tuple(rest.items()))) not in seen:
                seen.add(mark)
                yield name, key, rest


def index_key(match: Mapping[str, str] | None, subject: str) -> tuple[str, Mapping[str, str]]:
    """The first match value as "<attribute>=<value>", and the rest. Signals are indexed by the same words."""
    if match is None:
        return f"{SUBJECT_ATTRIBUTE}={subject}", {}
    first, *others = sorted(match)
    return f"{first}={match[first]}", {name: match[name] for name in others}


@lru_cache(maxsize=2048)
def listens_later(document: Document, step: str, name: str) -> bool:
    """Whether a run now at `step` may still come to a wait for this signal name."""
    return any(rule.name == name for key in _reachable(document, step) for rule in document.by_key[key].rules)


def _reachable(document: Document, step: str) -> set[str]:
    """Steps that a run now at `step` may still come to; before the first step, all of them."""
    ways = edges(document.steps)
    starts = ways[step] if step else [document.steps[0].key]
    return set().union(*(reachable(ways, start) for start in starts))
