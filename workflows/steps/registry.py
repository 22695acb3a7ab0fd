"""The step kinds this process knows, by name. Each app registers its kinds when it is ready."""

from collections.abc import Mapping
from types import MappingProxyType

from workflows.steps.base import StepKind

_kinds: dict[str, StepKind] = {}


class UnknownStepKind(KeyError):
    """No app of this process registered a kind of this name; newer code may have."""


def register(kind: StepKind) -> None:
    """Make `kind` known under its name. Registering the same class again is a no-op; another class is a ValueError."""
    known = _kinds.setdefault(kind.name, kind)
    if type(known) is not type(kind):
        raise ValueError(f"step kind {kind.name!r} is already registered by {type(known).__module__}")


def step_kind(name: str) -> StepKind:
    """The kind registered under `name`. Raises `UnknownStepKind` when no app registered it."""
    try:
        return _kinds[name]
    except KeyError:
        raise UnknownStepKind(name) from None


def kinds() -> Mapping[str, StepKind]:
    """All kinds by name, read-only."""
    return MappingProxyType(_kinds)
