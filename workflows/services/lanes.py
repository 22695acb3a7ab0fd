"""Lanes: kinds of owed work that the sweep looks for. An app above registers one of its own when it starts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from chimeway_py.nudges import Lane

Turn = Callable[..., int]
_turns: dict[Lane, Turn] = {}
_due: dict[Lane, str] = {}


def register_lane(lane: Lane, turn: Turn, due: str) -> None:
    """Make a lane known: its turn for one tenant, and the SQL function that gives the tenants with due work."""
    _turns[lane], _due[lane] = turn, due


def other_turns() -> Mapping[Lane, Turn]:
    """The turns of registered lanes."""
    return MappingProxyType(_turns)


def other_due() -> str:
    """SQL that adds what is due in registered lanes to a statement that gives (lane, tenant_id)."""
    return "".join(f" UNION SELECT '{lane}', tenant_id FROM {due}()" for lane, due in _due.items())  # noqa: S608  names of our own
