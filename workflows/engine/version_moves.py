"""What moving a run to another version of its definition would do to it: judged by where it stands. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.db.models import TextChoices

from workflows.definitions.document import Document, Step
from workflows.states import RunState

Due = Literal["keep", "recompute"]
_TIME = ("for", "until")


class MoveOutcome(TextChoices):
    """What becomes of a run: it moves in one of the first four ways, or stays for one of the other reasons."""

    NOT_BEGUN = "not_begun"
    KEPT = "kept"
    OPENED_ANEW = "opened_anew"
    MAPPED = "mapped"
    STEP_MISSING = "step_missing"
    KIND_DIFFERS = "kind_differs"
    IRREVERSIBLE = "irreversible"
    STEP_UNDER_WAY = "step_under_way"
    WORK_IN_FLIGHT = "work_in_flight"
    CHANGED_SINCE = "changed_since"


MOVING = frozenset({MoveOutcome.NOT_BEGUN, MoveOutcome.KEPT, MoveOutcome.OPENED_ANEW, MoveOutcome.MAPPED})
WHY: Mapping[str, str] = {
    MoveOutcome.NOT_BEGUN: "It has not begun, and begins on the new version.",
    MoveOutcome.KEPT: "Its step is the same in both versions; the open wait stays as it is.",
    MoveOutcome.OPENED_ANEW: "Its step is another in the new version; the wait is opened anew.",
    MoveOutcome.MAPPED: "It goes to another step of the new version, whose wait is opened.",
    MoveOutcome.STEP_MISSING: "The new version has no such step; map it to another.",
    MoveOutcome.KIND_DIFFERS: "Its step, or one where work of it was done, is of another kind in the new version.",
    MoveOutcome.IRREVERSIBLE: "It was at a step that cannot be undone, or says how; the new version does not.",
    MoveOutcome.STEP_UNDER_WAY: "The work of its step is owed or its outcome unknown; it can move once it waits.",
    MoveOutcome.WORK_IN_FLIGHT: "A worker holds work of it; it can move once that is done.",
    MoveOutcome.CHANGED_SINCE: "It has moved on since the plan was made; plan again.",
}


@dataclass(frozen=True, slots=True)
class Way:
    """From one version to another: `steps` maps steps of the old to those of the new; others keep their key."""

    old: Document
    new: Document
    steps: Mapping[str, str] = field(default_factory=dict)
    due: Due = "keep"

    def target(self, step: str) -> str:
        """The step of the new version for one of the old."""
        return self.steps.get(step, step)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a run stands. `was`: its state before it was paused."""

    state: str
    step: str
    was: str = ""
    in_flight: bool = False
    other_kind: bool = False  # work was done at a step that is of another kind now
    irreversible: bool = False  # it was at a step that cannot be undone, which the new version does not say


def judge(way: Way, place: Place) -> MoveOutcome:
    """What would become of a run that stands there."""
    state = place.was if place.state == RunState.PAUSED else place.state
    if place.in_flight:
        return MoveOutcome.WORK_IN_FLIGHT
    if state == RunState.PENDING:
        return MoveOutcome.NOT_BEGUN
    if state != RunState.WAITING:
        return MoveOutcome.STEP_UNDER_WAY
    return _of_waiting(way, place)


def _of_waiting(way: Way, place: Place) -> MoveOutcome:
    old, new = way.old.by_key.get(place.step), way.new.by_key.get(way.target(place.step))
    if old is None or new is None:
        return MoveOutcome.STEP_MISSING
    if old.kind != new.kind or place.other_kind:
        return MoveOutcome.KIND_DIFFERS
    if place.irreversible:
        return MoveOutcome.IRREVERSIBLE
    if old.key != new.key:
        return MoveOutcome.MAPPED
    return MoveOutcome.KEPT if _is_same_wait(old, new, way.due) else MoveOutcome.OPENED_ANEW


def _is_same_wait(old: Step, new: Step, due: Due) -> bool:
    """Whether the open wait says what the new version would say; a time that is kept need not be the same."""
    if _without_time(old) != _without_time(new):
        return False
    has_time = [any(name in step.config for name in _TIME) for step in (old, new)]
    return _time(old) == _time(new) or (due == "keep" and has_time == [True, True])


def _without_time(step: Step) -> dict[str, Any]:
    return {name: value for name, value in step.config.items() if name not in _TIME}


def _time(step: Step) -> list[Any]:
    return [step.config.get(name) for name in _TIME]


def undoable_no_more(way: Way) -> list[str]:
    """The steps of which the old version says that they cannot be undone, or how they are, and the new one does not."""
    old, new = (
        {(step.key, said) for step in version.steps for said in ("irreversible", "compensate") if step.config.get(said)}
        for version in (way.old, way.new)
    )
    lost = {key for key, _ in old - new}
    return [step.key for step in way.old.steps if step.key in lost]
