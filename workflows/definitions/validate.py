"""Every fault of a definition at once: first its shape, then what only the whole document can tell."""

from collections.abc import Iterator, Mapping
from typing import Any

from chimeway_py.errors import fault
from workflows.definitions.condition_checks import check_condition
from workflows.definitions.data_schema import check_data_schema
from workflows.definitions.did_you_mean import did_you_mean
from workflows.definitions.document import Step, compensation_config, correlation_names, parse_steps
from workflows.definitions.durations import parse_duration
from workflows.definitions.errors import InvalidDefinition
from workflows.definitions.graph import edges, reachable, restless_cycles, targets
from workflows.definitions.paths import START_ROOTS, path_fault
from workflows.definitions.schema import MOST_STEPS
from workflows.definitions.shape import shape_faults
from workflows.steps.base import CheckContext, Fault
from workflows.steps.registry import step_kind

MOST_FAULTS = 200
RESERVED_KEYS = frozenset({"schema", "validate"})
"""Keys that would hide behind addresses of our own: /v1/definitions/schema."""
OURS = frozenset({"chimeway_provider_test", "chimeway_template_test"})
"""Definitions that the service makes itself: their messages go to whoever asked for a test, whatever rules say."""


def validate(raw: Any, tenant_id: int | None = None) -> list[Fault]:
    """The faults of a document, in no more than 200 entries; an empty list means that it can be published.

    `tenant_id` lets step kinds look up what the tenant has stored (templates, endpoints); without it they do not ask.
    """
    if isinstance(raw, Mapping) and isinstance(raw.get("steps"), list) and len(raw["steps"]) > MOST_STEPS:
        count = len(raw["steps"])  # told before anything that takes time for each step
        return [fault("/steps", "size", f"A definition has at most {MOST_STEPS} steps; this one has {count}.")]
    faults = shape_faults(raw)
    if isinstance(raw, Mapping):
        sound = _Sound({one["path"] for one in faults})
        faults += _meaning_faults(raw, sound, tenant_id)
    return faults[:MOST_FAULTS]


def require_valid(raw: Any, tenant_id: int | None = None) -> None:
    """Raise `InvalidDefinition` with every fault, or nothing."""
    faults = validate(raw, tenant_id)
    if faults:
        raise InvalidDefinition(f"The definition has {len(faults)} fault{'s'[: len(faults) > 1]}.", faults)


class _Sound:
    """Tells which places have the right shape, so that a second fault is not reported about a first."""

    def __init__(self, broken: set[str]) -> None:
        self._broken = broken

    def __call__(self, place: str) -> bool:
        return not any(path == place or path.startswith(f"{place}/") or path == "" for path in self._broken)


def _meaning_faults(raw: Mapping[str, Any], sound: _Sound, tenant_id: int | None) -> Iterator[Fault]:
    names = correlation_names(raw) if sound("/start_on") and sound("/correlation") else None
    if sound("/key") and raw["key"] in RESERVED_KEYS:
        yield fault("/key", "reserved", f"The key {raw['key']!r} is ours; choose another.")
    if "start_on" in raw and sound("/start_on"):
        yield from _start_faults(raw["start_on"])
    if "data_schema" in raw and sound("/data_schema"):
        yield from check_data_schema(raw["data_schema"], "/data_schema")
    if "deadline" in raw and sound("/deadline") and not parse_duration(raw["deadline"]):
        yield fault("/deadline", "duration", "A deadline is longer than nothing.")
    if isinstance(raw.get("steps"), list):
        yield from _steps_faults(raw, sound, names, tenant_id)


def _start_faults(start: Mapping[str, Any]) -> Iterator[Fault]:
    paths = {"/subject": start["subject"]}
    paths |= {f"/correlate/{name}": path for name, path in start.get("correlate", {}).items()}
    for place, path in paths.items():
        wrong = path_fault(path, START_ROOTS)
        if wrong:
            yield fault(f"/start_on{place}", "path", wrong)
    if "when" in start:
        yield from check_condition(start["when"], "/start_on/when", lambda text: path_fault(text, START_ROOTS))


def _steps_faults(
    raw: Mapping[str, Any], sound: _Sound, names: frozenset[str] | None, tenant_id: int | None
) -> Iterator[Fault]:
    declared = [step.get("key") if isinstance(step, Mapping) else None for step in raw["steps"]]
    keys = [key for key in declared if isinstance(key, str)]
    yield from _repeated(declared)
    context = CheckContext(raw, frozenset(keys), tenant_id, names)
    places = [f"/steps/{position}" for position in range(len(declared))]
    for place, step in zip(places, raw["steps"], strict=True):
        if sound(place):
            yield from step_kind(step["kind"]).check(step, place, context)
            if "compensate" in step:
                undoing = compensation_config(step)
                yield from step_kind(undoing["kind"]).check(undoing, f"{place}/compensate", context)
    if len(keys) == len(declared):
        for position in (position for position, place in enumerate(places) if sound(place)):
            yield from _target_faults(position, parse_steps({"steps": [raw["steps"][position]]})[0], keys)
    if keys and len(set(keys)) == len(declared) and all(map(sound, places)):
        yield from _graph_faults(parse_steps(raw))


def _repeated(keys: list[Any]) -> Iterator[Fault]:
    for position, key in enumerate(keys):
        if isinstance(key, str) and key in keys[:position]:
            told = f"The step at /steps/{keys.index(key)} already has the key {key[:64]!r}."
            yield fault(f"/steps/{position}/key", "duplicate_key", told)


def _target_faults(position: int, step: Step, known: list[str]) -> Iterator[Fault]:
    for place, target in targets(step):
        if target.kind == "goto" and target.step not in known:
            hint = did_you_mean(target.step, known) or f" Steps: {', '.join(known[:10])}."
            path = f"/steps/{position}{place}/goto"
            yield fault(path, "unknown_target", f"There is no step {target.step!r}.{hint}")


def _graph_faults(steps: tuple[Step, ...]) -> Iterator[Fault]:
    known = [step.key for step in steps]
    met = reachable(edges(steps), steps[0].key)
    for position, step in enumerate(steps):
        if step.key not in met:
            yield fault(f"/steps/{position}", "unreachable", f"No way leads to the step {step.key!r}.")
    for loop in restless_cycles(steps):
        way = " → ".join(loop)
        message = f"The loop {way} never rests; put a wait into it."
        yield fault(f"/steps/{known.index(loop[0])}", "cycle", message)
