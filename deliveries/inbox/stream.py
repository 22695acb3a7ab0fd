"""Server-sent events of one inbox: what changes, as it changes, from whichever process committed it.

A stream looks at rows and needs no word from who wrote them, so one process or fifty make no difference and a sending
transaction owes it nothing. Between two looks it holds a thread and no database connection.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import InterfaceError, OperationalError, connection

from chimeway_py.api.cursors import seal_cursor
from deliveries.inbox.looking import Look, items_of, look, missed_since
from deliveries.inbox.slots import slots
from deliveries.inbox.tokens import still_open
from deliveries.models import InboxItem
from tenants.services import Caller

LOOK_EVERY = 1.0  # seconds
HEARTBEAT = (
    15.0  # seconds between two signs of life; at each, and before anything is told, it is asked whether it may go on
)
RECONNECT = 3000  # milliseconds that a browser waits


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a stream is asked for: whose inbox, since where, for how long, and how an item is written."""

    caller: Caller
    subject: str
    after: int | None
    seconds: float
    place: str
    shown: Callable[[InboxItem], Mapping[str, Any]]


class InboxStream:
    """An iterable of events. Its place is taken when it is made, and given back when it is closed, read or not."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._owner = (wanted.caller.tenant_id, wanted.subject)
        self._holds_place = False
        slots.take(self._owner)
        self._holds_place = True
        self._events = self._tell()

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._events)

    def close(self) -> None:
        """Give the place back. Closing twice is harmless."""
        if self._holds_place:
            self._holds_place = False
            slots.give_back(self._owner)

    def __del__(self) -> None:  # a request that fails after the stream was made never closes it
        self.close()

    def _tell(self) -> Iterator[bytes]:
        try:
            yield f"retry: {RECONNECT}\n\n".encode()
            yield from self._follow()
        except (OperationalError, InterfaceError):  # the browser comes back, to this process or another
            yield event("end", {"reason": "unavailable"})
        finally:
            self.close()

    def _follow(self) -> Iterator[bytes]:
        ends, beats = time.monotonic() + self._wanted.seconds, time.monotonic() + HEARTBEAT
        seen = self._look()
        yield from self._resumed()
        yield event("counts", seen.counts, self._id(seen))
        while (now := time.monotonic()) < ends:
            time.sleep(min(LOOK_EVERY, ends - now))
            before, seen = seen, self._look()
            is_time = time.monotonic() >= beats
            if (is_time or seen != before) and not self._may_go_on():  # after the look: what it saw is not told
                yield event("end", {"reason": "not_authenticated"})
                return
            yield from self._changes(before, seen)
            if is_time:
                beats = time.monotonic() + HEARTBEAT
                yield b": still here\n\n"
        yield event("end", {"reason": "time"})

    def _resumed(self) -> Iterator[bytes]:
        """What came since the event that the browser names as its last."""
        if self._wanted.after is None:
            return
        with briefly():
            missed = missed_since(*self._owner, self._wanted.after)
        yield from [event("reset", {})] if missed is None else self._items(missed)

    def _changes(self, before: Look, seen: Look) -> Iterator[bytes]:
        if seen.lost_since(before) or seen.outruns(before):
            yield event("reset", {})
        else:
            yield from self._items(seen.changed_since(before))
        if seen.counts != before.counts:
            yield event("counts", seen.counts, self._id(seen))

    def _items(self, ids: list[int]) -> Iterator[bytes]:
        if not ids:
            return
        with briefly():
            told = [event("item", self._wanted.shown(item)) for item in items_of(*self._owner, ids)]
        yield from told

    def _look(self) -> Look:
        with briefly():
            return look(*self._owner)

    def _may_go_on(self) -> bool:
        with briefly():
            return still_open(self._wanted.caller)

    def _id(self, seen: Look) -> str:
        """Where to resume: after all that was told."""
        return seal_cursor(seen.newest, of=self._wanted.place)


def event(name: str, data: Mapping[str, Any], place: str = "") -> bytes:
    """One event as it goes over the wire. JSON has no line breaks of its own."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), default=str)
    return f"{f'id: {place}{chr(10)}' if place else ''}event: {name}\ndata: {text}\n\n".encode()


@contextmanager
def briefly() -> Iterator[None]:
    """Ask the database something, then give its connection back to the pool: a stream would keep it while it sleeps."""
    try:
        yield
    finally:
        connection.close_if_unusable_or_obsolete()
