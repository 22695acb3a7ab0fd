"""Workflow maps of Chimeway (Elixir), turned into definitions that behave as its guide says.

Such a map is `{workflow_key, workflow_version, steps: [{step_key, step_order, channel, config: {progress: […]}}]}`. Its
rules stand on the step before: `on_outcome` and `stop` judge the outcome of the delivery; `wait_until` waits so many
`delay_seconds` after the delivery has converged and then goes to `to_step`, unless one of its `cancel_signals` comes.
An outcome without any rule completes the run. Source: guides/flows/multi-step-journeys.md of Chimeway 1.1.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from chimeway_py.errors import Invalid, fault

OUTCOMES = (
    "delivered",
    "suppressed",
    "temporary_failure",
    "retries_exhausted",
    "permanent_failure",
    "bounced",
)
#: Outcomes that end a delivery. `temporary_failure` does not, unless a rule names it: then the first failure is judged.
CONVERGED = tuple(word for word in OUTCOMES if word != "temporary_failure")
ANCHOR = "prior_delivery_terminal_at"
STOPPED_BY_SIGNAL, STOPPED_BY_OUTCOME = "cancelled_by_signal", "stopped_on_outcome"
#: Their inbox signals are ours, and ours say which run they are about.
INBOX_SIGNALS = {"chimeway.notification.read": "notification.read", "chimeway.notification.seen": "notification.seen"}
#: What Chimeway's `build` returns, `title` and `body`, is expected in the start data.
TEMPLATES: Mapping[str, Mapping[str, str]] = {
    "in_app": {"title": "{{ data.title }}", "text": "{{ data.body }}"},
    "email": {"subject": "{{ data.title }}", "text": "{{ data.body }}"},
    "webhook": {"text": "{{ data.body }}"},
}


def from_chimeway(workflow: Any, *, email_to: str = "data.email", endpoint: str = "default") -> dict[str, Any]:
    """The definition that a workflow map stands for. Its version is given anew when it is stored.

    `email_to` is where mail goes and `endpoint` where webhooks go: Chimeway keeps neither in the map. Raises `Invalid`
    with paths into the map for what has no counterpart.
    """
    faults = list(_faults(workflow))
    if faults:
        raise Invalid("The workflow cannot be imported.", faults)
    ordered = sorted(workflow["steps"], key=lambda step: step["step_order"])
    steps: list[dict[str, Any]] = []
    for step in ordered:
        steps += _steps(step, email_to, endpoint)
    channels = {step["channel"] for step in ordered}
    templates = {channel: dict(TEMPLATES[channel]) for channel in TEMPLATES if channel in channels}
    return {"key": workflow["workflow_key"], "templates": templates, "steps": steps}


def _steps(step: Mapping[str, Any], email_to: str, endpoint: str) -> Iterator[dict[str, Any]]:
    """A delivery, and the wait after it if a rule asks for one."""
    rules = _rules(step)
    wait = next((rule for rule in rules if rule["kind"] == "wait_until"), None)
    otherwise: Any = {"goto": wait_key(step["step_key"])} if wait else "complete"
    on_outcome: dict[str, Any] = dict.fromkeys(CONVERGED, otherwise)
    for rule in reversed(rules):  # of two rules for one outcome the first counts
        if rule["kind"] == "on_outcome":
            on_outcome[rule["outcome"]] = {"goto": rule["to_step"]}
        elif rule["kind"] == "stop":
            on_outcome[rule["outcome"]] = {"stop": STOPPED_BY_OUTCOME}
    key, channel = step["step_key"], step["channel"]
    where = {"email": {"to": email_to}, "webhook": {"endpoint": endpoint}}.get(channel, {})
    delivery = {"key": key, "kind": "deliver", "channel": channel, "template": channel, **where}
    yield {**delivery, "on_outcome": on_outcome}
    if wait:
        yield _wait(key, wait)


def wait_key(step_key: str) -> str:
    """The key of the wait that follows a delivery."""
    return f"{step_key}_wait"


def _wait(key: str, rule: Mapping[str, Any]) -> dict[str, Any]:
    wait: dict[str, Any] = {"key": wait_key(key), "kind": "wait", "for": f"PT{rule['delay_seconds']}S"}
    if rule.get("cancel_signals"):
        wait["signals"] = [_signal(name) for name in rule["cancel_signals"]]
    return {**wait, "on_timeout": {"goto": rule["to_step"]}}


def _signal(name: str) -> dict[str, Any]:
    """Any other signal means the run's subject, as `actor_id` does there."""
    then = {"stop": STOPPED_BY_SIGNAL}
    if name in INBOX_SIGNALS:
        return {"name": INBOX_SIGNALS[name], "match": {"run_id": "run.id"}, "then": then}
    return {"name": name, "then": then}


def _rules(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((step.get("config") or {}).get("progress") or ())


def _faults(workflow: Any) -> Iterator[dict[str, str]]:
    if not isinstance(workflow, Mapping) or not isinstance(workflow.get("steps"), list) or not workflow["steps"]:
        yield fault("", "not_a_workflow", "A map with workflow_key, workflow_version and a list of steps.")
        return
    if not isinstance(workflow.get("workflow_key"), str):
        yield fault("/workflow_key", "missing", "The key of the workflow, as text.")
    steps = [step for step in workflow["steps"] if isinstance(step, Mapping)]
    keys = [step["step_key"] for step in steps if isinstance(step.get("step_key"), str)]
    for position, step in enumerate(workflow["steps"]):
        yield from _step_faults(step, f"/steps/{position}", keys)


def _step_faults(step: Any, path: str, keys: Sequence[str]) -> Iterator[dict[str, str]]:
    if not isinstance(step, Mapping) or not isinstance(step.get("step_key"), str):
        yield fault(path, "not_a_step", "A map with step_key, step_order and channel.")
        return
    if type(step.get("step_order")) is not int:
        yield fault(f"{path}/step_order", "missing", "The place of the step, as a whole number.")
    if not _is_one_of(TEMPLATES, step.get("channel")):
        yield fault(f"{path}/channel", "unknown_channel", f"One of {', '.join(TEMPLATES)}.")
    config = _or_absent(step, "config", {})
    if not isinstance(config, Mapping):
        yield fault(f"{path}/config", "bad_config", "A map with progress, a list of rules.")
        return
    progress = _or_absent(config, "progress", [])
    if not isinstance(progress, list):
        yield fault(f"{path}/config/progress", "bad_progress", "A list of rules.")
        return
    for position, rule in enumerate(progress):
        yield from _rule_faults(rule, f"{path}/config/progress/{position}", keys)


def _rule_faults(rule: Any, path: str, keys: Sequence[str]) -> Iterator[dict[str, str]]:
    kind = rule.get("kind") if isinstance(rule, Mapping) else None
    if not _is_one_of(("wait_until", "on_outcome", "stop"), kind):
        yield fault(path, "unknown_rule", "A rule of the kind wait_until, on_outcome or stop.")
        return
    if kind != "stop" and not _is_one_of(keys, rule.get("to_step")):
        yield fault(f"{path}/to_step", "unknown_step", f"One of the steps: {', '.join(keys)}.")
    if kind != "wait_until":
        if not _is_one_of(OUTCOMES, rule.get("outcome")):
            yield fault(f"{path}/outcome", "unknown_outcome", f"One of {', '.join(OUTCOMES)}.")
        return
    if _or_absent(rule, "anchor", ANCHOR) != ANCHOR:
        yield fault(f"{path}/anchor", "unknown_anchor", f"Only {ANCHOR}.")
    if type(rule.get("delay_seconds")) is not int or rule["delay_seconds"] < 1:
        yield fault(f"{path}/delay_seconds", "bad_delay", "Whole seconds, at least 1.")
    signals = _or_absent(rule, "cancel_signals", [])
    if not isinstance(signals, list) or not all(isinstance(name, str) for name in signals):
        yield fault(f"{path}/cancel_signals", "bad_signals", "A list of names of signals.")


def _or_absent(said: Mapping[str, Any], name: str, default: Any) -> Any:
    """What a map says under a name; null (nil in Elixir) says no more than a name that is not there."""
    value = said.get(name)
    return default if value is None else value


def _is_one_of(words: Collection[str], value: Any) -> bool:
    return isinstance(value, str) and value in words
