"""A definition as the engine reads it: frozen, typed, parsed once per checksum."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from workflows.definitions.durations import parse_duration

SHARED = ("category",)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a run goes: the next step in order, a named step, or an end."""

    kind: Literal["next", "goto", "complete", "stop"]
    step: str = ""
    reason: str = ""
    compensate: bool = False  # of a stop: undo what the run did

    @classmethod
    def parse(cls, raw: Any) -> "Target":
        """From `next`, `complete`, {goto: key} or {stop: reason, compensate: true}; None is `next`."""
        match raw:
            case None | "next":
                return NEXT
            case "complete":
                return COMPLETE
            case {"goto": str(step)}:
                return cls("goto", step=step)
            case {"stop": str(reason)}:
                return cls("stop", reason=reason, compensate=bool(raw.get("compensate")))
        raise ValueError(f"not a target: {raw!r}")

    def as_declared(self) -> Any:
        """The target in the words of the document."""
        if self.kind == "goto":
            return {"goto": self.step}
        if self.kind == "stop":
            return {"stop": self.reason} | ({"compensate": True} if self.compensate else {})
        return self.kind


NEXT, COMPLETE = Target("next"), Target("complete")


@dataclass(frozen=True, slots=True)
class SignalRule:
    """One signal that a wait listens for.

    `match` pairs a correlation name of the signal with a source: a path of the run, or {const: text}.
    """

    name: str
    match: tuple[tuple[str, str | Mapping[str, str]], ...] | None
    when: Mapping[str, Any] | None
    then: Target


@dataclass(frozen=True, slots=True)
class StartRule:
    """The signal that starts runs: where its subject and correlation values lie in the signal."""

    signal: str
    subject: str
    correlate: Mapping[str, str]
    when: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its common keys, and the whole step as declared in `config` for the kind to read.

    `rules` are the signals it waits for.
    """

    key: str
    kind: str
    position: int
    config: Mapping[str, Any]
    on_outcome: Mapping[str, Target]
    rules: tuple[SignalRule, ...] = ()
    compensation: "Step | None" = None  # what undoes it; its key is that of the step

    def work(self, undo: int) -> "Step":
        """Whose work a step run does: the step's own, or with `undo` that of its compensation."""
        if not undo:
            return self
        assert self.compensation is not None
        return self.compensation


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A whole definition. Compared and hashed by identity: there is one object per version in a process."""

    key: str
    steps: tuple[Step, ...]
    start_on: StartRule | None
    deadline: timedelta | None
    raw: Mapping[str, Any]
    by_key: Mapping[str, Step] = field(default_factory=dict)
    compensating: tuple[str, ...] = ()  # the keys of steps that say how they are undone

    def step_after(self, step: Step) -> Step | None:
        """The next step in order, or None after the last."""
        return self.steps[step.position] if step.position < len(self.steps) else None


def parse_document(raw: Mapping[str, Any]) -> Document:
    """Read a document that `validate` found no fault in. Positions count from 1."""
    steps = parse_steps(raw)
    start = raw.get("start_on")
    return Document(
        key=raw["key"],
        steps=steps,
        start_on=start and StartRule(start["signal"], start["subject"], start.get("correlate", {}), start.get("when")),
        deadline=parse_duration(raw["deadline"]) if "deadline" in raw else None,
        raw=raw,
        by_key={step.key: step for step in steps},
        compensating=tuple(step.key for step in steps if step.compensation is not None),
    )


def parse_steps(raw: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of a document whose shape is valid, in order, positions from 1.

    What a document says for all of its messages is part of the `config` of each step that does not say otherwise.
    """
    shared = {name: raw[name] for name in SHARED if name in raw}
    return tuple(
        Step(
            key=step["key"],
            kind=step["kind"],
            position=position,
            config={**shared, **step},
            on_outcome={word: Target.parse(target) for word, target in step.get("on_outcome", {}).items()},
            rules=parse_signal_rules(step),
            compensation=_compensation(step, position, shared),
        )
        for position, step in enumerate(raw["steps"], start=1)
    )


def compensation_config(step: Mapping[str, Any]) -> dict[str, Any]:
    """The compensation of a declared step as a step of its own. Receivers know it by its key."""
    return {"key": f"{step['key']}.compensate", **step["compensate"]}


def _compensation(step: Mapping[str, Any], position: int, shared: Mapping[str, Any]) -> Step | None:
    if "compensate" not in step:
        return None
    return Step(step["key"], step["compensate"]["kind"], position, {**shared, **compensation_config(step)}, {})


def correlation_names(raw: Mapping[str, Any]) -> frozenset[str]:
    """The correlation values that a run of this document has: from its start signal, and those it lists."""
    return frozenset(raw.get("start_on", {}).get("correlate", {})) | frozenset(raw.get("correlation", ()))


def parse_signal_rules(config: Mapping[str, Any]) -> tuple[SignalRule, ...]:
    """The signals of a wait (or any step that waits), in declared order."""
    return tuple(
        SignalRule(
            name=rule["name"],
            match=tuple(sorted(rule["match"].items())) if rule.get("match") else None,
            when=rule.get("when"),
            then=Target.parse(rule.get("then")),
        )
        for rule in config.get("signals", ())
    )
