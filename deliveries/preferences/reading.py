"""Preference rules in JSON: every fault with its path, before anything is written."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from chimeway_py.api.json_gate import pointer
from chimeway_py.errors import fault
from deliveries.channels.registry import channels
from deliveries.services.template_checks import KEY
from workflows.definitions.condition_checks import check_condition
from workflows.definitions.paths import path_fault

MOST_RULES = 100
MEMBERS = ("category", "workflow", "channel", "allowed", "when")
ABOUT = ("category", "workflow", "channel")
ROOTS = frozenset({"data", "run", "recipient"})
Faults = Iterator[dict[str, str]]


def rule_faults(
    said: Any, known: Collection[str], required: Collection[str], workflows: Collection[str], *, removes: bool
) -> Faults:
    """Every fault of a list of rules. `known` are the tenant's categories, `workflows` those that a rule may name.

    With `removes`, null takes a rule away.
    """
    if not isinstance(said, list) or len(said) > MOST_RULES:
        yield fault("/rules", "bad_length", f"A list of at most {MOST_RULES} rules.")
        return
    seen: dict[tuple[str, ...], int] = {}
    for index, rule in enumerate(said):
        at = f"/rules/{index}"
        if not isinstance(rule, Mapping):
            yield fault(at, "bad_type", "Must be an object.")
            continue
        yield from _member_faults(rule, at, removes)
        yield from _about_faults(rule, at, known, required)
        yield from _workflow_faults(rule, at, workflows)
        if rule.get("when") is not None:
            yield from check_condition(rule["when"], f"{at}/when", lambda path: path_fault(path, ROOTS))
        if (first := seen.setdefault(about(rule), index)) != index:
            yield fault(at, "repeated", f"Rule {first} is about the same.")


def about(rule: Mapping[str, Any]) -> tuple[str, ...]:
    """What makes two rules the same rule."""
    return tuple(str(rule.get(name) or "") for name in ABOUT)


def _member_faults(rule: Mapping[str, Any], at: str, removes: bool) -> Faults:
    for name in rule:
        if name not in MEMBERS:
            yield fault(pointer(at, name), "unknown_key", f"A rule has {', '.join(MEMBERS)}.")
    if "allowed" not in rule:
        yield fault(f"{at}/allowed", "missing", "true or false.")
    elif not isinstance(rule["allowed"], bool) and not (removes and rule["allowed"] is None):
        yield fault(
            f"{at}/allowed", "bad_type", "true or false" + (", or null to take the rule away." if removes else ".")
        )


def _about_faults(rule: Mapping[str, Any], at: str, known: Collection[str], required: Collection[str]) -> Faults:
    category, workflow, channel = (_said(rule, name) for name in ABOUT)
    if category and workflow:
        yield fault(f"{at}/workflow", "conflict", "A rule is about a category or a workflow, not both.")
    if category is not None and not _one_of(category, known):
        told = f"One of {', '.join(sorted(known))}." if known else "The tenant has no categories yet."
        yield fault(f"{at}/category", "unknown_category", told)
    elif category in required and rule.get("allowed") is False:
        yield fault(f"{at}/category", "required_category", "Nobody may refuse this category.")
    if channel is not None and not _one_of(channel, channels()):
        yield fault(f"{at}/channel", "unknown_channel", f"One of {', '.join(sorted(channels()))}.")


def _workflow_faults(rule: Mapping[str, Any], at: str, workflows: Collection[str]) -> Faults:
    """A rule that takes another away may name what is no more."""
    workflow = _said(rule, "workflow")
    if workflow is None:
        return
    if not (isinstance(workflow, str) and KEY.fullmatch(workflow)):
        yield fault(f"{at}/workflow", "bad_key", "The key of a definition.")
    elif rule.get("allowed") is not None and workflow not in workflows:
        yield fault(f"{at}/workflow", "unknown_workflow", "No definition of the tenant has this key.")


def _said(rule: Mapping[str, Any], name: str) -> Any:
    return None if rule.get(name) == "" else rule.get(name)


def named_workflows(said: Any) -> set[str]:
    """The workflows that rules name, whatever else may be wrong with them."""
    named = [rule.get("workflow") for rule in said if isinstance(rule, Mapping)] if isinstance(said, list) else []
    return {one for one in named if isinstance(one, str) and KEY.fullmatch(one)}


def _one_of(said: Any, known: Collection[str]) -> bool:
    """Whether it is one of them. JSON may say a list or an object, which no set and no mapping can be asked for."""
    return isinstance(said, str) and said in known
