"""Whose turn it is: what a message does for a tenant that has more to do than fits in one turn.

While a tenant has a long backlog, everybody who adds to it sends nudges. If each of them began a turn, they would pile
up, and the nudges of other tenants would wait behind them. So a turn that is cut short leaves one message for the rest,
a baton, and a thread that has just been cut short puts other nudges of that tenant off: one message comes later that
stands for all of them, unless the thread takes another turn before.

There is about one baton for each thread that takes turns, so all of them can work on a backlog, and not more messages
stand in the queue. A baton names its maker, which of the maker's it is, and how many others have passed it on. It is a
nudge like any other: lost, doubled or forged, it changes nothing by itself, and the sweep offers the work again.
"""

import threading
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import NamedTuple

from chimeway_py import nudges
from chimeway_py.nudges import Lane, Name

TURN_SECONDS = 0.1  # of one tenant, in the places where others wait for theirs
AFTER_A_CUT = 1.0  # seconds for which a thread puts nudges off: it gets through hundreds of them meanwhile
LATER = 0.4  # seconds until what was put off comes again, and is put off no more: longer than a turn
BELIEVED = 0.5  # seconds for which a thread counts on a baton of its own that it does not see
MOST_HANDS = 50  # others that pass a baton on before it belongs to whoever holds it: its maker may have died
MOST_NAMES = 10_000  # that a thread remembers
PREFIX = "baton"
PUT_OFF = "later"


class Baton(NamedTuple):
    """What the id of a message says when it goes on with a turn that was cut short."""

    maker: str
    number: int
    hands: int = 0

    def __str__(self) -> str:
        return f"{PREFIX}-{self.maker}-{self.number}-{self.hands}"


def baton_of(message_id: str | None) -> Baton | None:
    """What a message carries. Anything else is a plain nudge."""
    parts = (message_id or "").split("-")
    if len(parts) != 4 or parts[0] != PREFIX or not (parts[2].isdecimal() and parts[3].isdecimal()):
        return None
    return Baton(parts[1], int(parts[2]), int(parts[3]))


class Own(NamedTuple):
    """The newest baton that a thread has made for a name, and when it last had it."""

    number: int
    had_at: float


@dataclass(slots=True)
class Memory:
    """What one thread remembers of the turns that it took."""

    maker: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    _made: int = 0
    _cut_at: dict[Name, float] = field(default_factory=dict)
    _own: dict[Name, Own] = field(default_factory=dict)

    def is_superseded(self, name: Name, baton: Baton | None) -> bool:
        """Whether this is an older baton of its own: it ends here, so that there are never many."""
        own = self._own.get(name)
        return own is not None and self._is_mine(baton) and baton is not None and own.number != baton.number

    def others_first(self, name: Name, now: float) -> bool:
        """Whether the tenant has just had its turn here."""
        return now < self._cut_at.get(name, now - AFTER_A_CUT) + AFTER_A_CUT

    def done(self, name: Name, baton: Baton | None) -> None:
        """A turn ended because nothing was left."""
        self._cut_at.pop(name, None)
        if self._is_mine(baton):
            self._own.pop(name, None)

    def cut(self, name: Name, baton: Baton | None, now: float) -> Baton | None:
        """A turn was cut short: the baton for the rest, or None where one of this thread's should be under way."""
        if len(self._cut_at) > MOST_NAMES:
            self._cut_at.clear()
            self._own.clear()
        self._cut_at[name] = now
        if baton is not None and not self._is_mine(baton) and baton.hands < MOST_HANDS:
            return baton._replace(hands=baton.hands + 1)
        own = self._own.get(name)
        if own is not None and not self._is_mine(baton) and now - own.had_at < BELIEVED:
            return None
        self._made += 1
        self._own[name] = Own(self._made, now)
        return Baton(self.maker, self._made)

    def _is_mine(self, baton: Baton | None) -> bool:
        return baton is not None and baton.maker == self.maker


class _Here(threading.local):
    def __init__(self) -> None:
        self.memory = Memory()


@dataclass(slots=True)
class _Turn:
    """The turn that is under way."""

    baton: Baton | None = None
    is_cut: bool = False


_here = _Here()
_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


def take(lane: Lane, tenant_id: int, message_id: str | None, turn: Callable[..., int]) -> int:
    """Take the turn that a message asks for, unless others go first; what the turn answers, or 0."""
    name, memory, under_way = (lane, tenant_id), _here.memory, _Turn(baton_of(message_id))
    if memory.is_superseded(name, under_way.baton):
        return 0
    is_plain = under_way.baton is None and not (message_id or "").startswith(PUT_OFF)
    if is_plain and memory.others_first(name, time.monotonic()):
        _put_off(lane, tenant_id)
        return 0
    token = _turn.set(under_way)
    try:
        taken = turn(tenant_id=tenant_id)
    finally:
        _turn.reset(token)
    if not under_way.is_cut:
        memory.done(name, under_way.baton)
    return taken


def go_on(lane: Lane, tenant_id: int, *, after: float = 0.0) -> None:
    """Say, from within a turn, that its time is over and that more is left: behind the other tenants' nudges.

    With `after` the rest may wait so many seconds, in which the thread is there for others.
    """
    under_way = _turn.get() or _Turn()
    under_way.is_cut = True
    baton = _here.memory.cut((lane, tenant_id), under_way.baton, time.monotonic())
    if baton is not None and after:
        nudges.put_off(lane, tenant_id, after, str(baton))
    elif baton is not None:
        nudges.pass_on(lane, tenant_id, str(baton))
    else:
        _put_off(lane, tenant_id)


def _put_off(lane: Lane, tenant_id: int) -> None:
    nudges.put_off(lane, tenant_id, LATER, f"{PUT_OFF}-{uuid.uuid4()}")
