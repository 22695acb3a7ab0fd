"""What may be asked of a run: one rule for the services that refuse and for the explanation that offers. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workflows.states import TERMINAL, RunState


@dataclass(frozen=True, slots=True)
class Standing:
    """What of a run decides what may be asked of it: its state, and what is open in it."""

    state: str
    has_wait: bool = False
    is_unknown: bool = False  # nobody knows the outcome of its current step
    has_approval: bool = False  # a decision is asked for
    is_off: bool = False  # its definition is switched off, and it is held
    irreversible: tuple[str, ...] = ()  # steps that may have taken effect and cannot be undone
    unstartable: str = ""  # why a replay of it could start nothing, as a sentence
    is_undoable: bool = False  # of a run that has ended: it did something that can be undone and is not


def why_not(action: str, standing: Standing) -> str:
    """Why the action would be refused, as a sentence for people; "" when it would be accepted."""
    if standing.state in TERMINAL and action == "settle" and standing.is_unknown:
        return ""  # a compensation, what would have to be undone, or the step at which it ended
    if standing.state in TERMINAL and action not in ("replay", "compensate"):
        return f"The run has ended: it is {standing.state}."
    if standing.is_off and action in _GOING_ON:
        return "Its definition is switched off."
    return _RULES[action](standing)


def _anytime(standing: Standing) -> str:
    return ""


def _wake(standing: Standing) -> str:
    if standing.state == RunState.PAUSED:
        return "The run is paused; resume it first."
    return "" if standing.has_wait else "The run does not wait."


def _decide(standing: Standing) -> str:
    if standing.state == RunState.PAUSED:
        return "The run is paused; resume it first."
    return "" if standing.has_approval else "The run does not wait for an approval."


def _pause(standing: Standing) -> str:
    return "The run is paused already." if standing.state == RunState.PAUSED else ""


def _resume(standing: Standing) -> str:
    return "" if standing.state == RunState.PAUSED else "The run is not paused."


def _settle(standing: Standing) -> str:
    return "" if standing.is_unknown else "The outcome of no step is unknown."


def _replay(standing: Standing) -> str:
    if standing.state not in TERMINAL:
        return "The run has not ended."
    if standing.unstartable:
        return standing.unstartable
    steps = ", ".join(standing.irreversible)
    return f"It has to be allowed: these steps cannot be undone: {steps}." if steps else ""


def _compensate(standing: Standing) -> str:
    if standing.state not in TERMINAL:
        return "The run has not ended; cancel it with compensation."
    return "" if standing.is_undoable else "Nothing is left to undo."


_RULES: Mapping[str, Callable[[Standing], str]] = {
    "cancel": _anytime,
    "wake": _wake,
    "approve": _decide,
    "reject": _decide,
    "pause": _pause,
    "resume": _resume,
    "settle": _settle,
    "change": _anytime,
    "replay": _replay,
    "compensate": _compensate,
}
_GOING_ON = frozenset({"wake", "approve", "reject", "resume"})
ACTIONS = tuple(name for name in _RULES if name != "change")  # a change of times is no button: it needs the times
