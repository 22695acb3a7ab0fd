"""Load at capacity: many callers, each of whom starts a run, waits until its mail has gone out, and starts the next.

Nobody can fall behind such a load and nothing is caught up: as much comes in as goes out, and the service is what
bounds it.
"""

import os
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from tests.faults.calls import GaveUp
from tests.faults.ground import Ground
from tests.faults.journeys import Journey, Walker

AT_ONCE = 96  # runs under way
SENDERS = 16  # threads that send the starts: the web server has eight to answer them
LOOK_EVERY = 0.1  # seconds
SETTLES = 5.0  # seconds after which a run that says when it ended is there to see
_ENDED = """
SELECT count(*) FROM workflows_run
 WHERE tenant_id IN (SELECT id FROM tenants_tenant) AND state = 'completed'
   AND finished_at >= to_timestamp(%s) AND finished_at < to_timestamp(%s)
"""


class Callers:
    """A closed loop of `AT_ONCE` callers, at first of half of them."""

    def __init__(self, ground: Ground, seed: str, first: int) -> None:
        self.ground, self.seed, self.first = ground, seed, first
        self.journeys: list[Journey] = []
        self.began = self._since = time.time()
        self._counted = self._told = 0  # runs that ended: before `_since`, and those that there is room for again
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._room = threading.Semaphore(AT_ONCE // 2)
        self._threads = [threading.Thread(target=self._send, name=f"caller-{n}", daemon=True) for n in range(SENDERS)]
        self._threads.append(threading.Thread(target=self._watch, name="callers", daemon=True))

    def start(self) -> None:
        """Begin with half of them."""
        for thread in self._threads:
            thread.start()

    def join_all(self) -> None:
        """Let the other half begin, too."""
        self._room.release(AT_ONCE - AT_ONCE // 2)

    def stop(self) -> None:
        """No more starts; what was sent is sent until it is answered, or the run is over."""
        self._stopping.set()
        self._room.release(SENDERS)

    @property
    def are_done(self) -> bool:
        """Whether every start was answered."""
        return not any(thread.is_alive() for thread in self._threads)

    def ended(self, since: float, until: float) -> int | None:
        """How many runs were done between two times of day; None while PostgreSQL cannot say."""
        with suppress(psycopg.Error), self.ground.superuser() as database:
            return _count(database, since, until)
        return None

    def _send(self) -> None:
        while self._room.acquire() and not self._stopping.is_set():
            journey = self._next()
            try:
                Walker(journey, self.ground.calls, self.ground.tenants).start()
                journey.ended = True
            except GaveUp as gave_up:
                journey.surprises.append(f"never answered: {gave_up}")
            except Exception as error:
                journey.surprises.append(f"the caller broke: {error!r}")

    def _next(self) -> Journey:
        with self._lock:
            number = self.first + len(self.journeys)
            tenant = number % (len(self.ground.tenants) - 1)  # the last one has a limit
            journey = Journey(number, 0.0, "canary", tenant, (), f"o{number}-{self.seed}")
            self.journeys.append(journey)
        return journey

    def _watch(self) -> None:
        """Make room for as many as have ended, on one connection while it lasts."""
        while not self._stopping.wait(LOOK_EVERY):
            with suppress(psycopg.Error), self.ground.superuser() as database:
                while not self._stopping.wait(LOOK_EVERY):
                    self._make_room(database)

    def _make_room(self, database: psycopg.Connection[Any]) -> None:
        now = time.time()
        ended = self._counted + _count(database, self._since, now + SETTLES)
        if now - self._since > 2 * SETTLES:  # what is long over need not be counted again
            self._counted += _count(database, self._since, now - SETTLES)
            self._since = now - SETTLES
        if ended > self._told:
            self._room.release(ended - self._told)
            self._told = ended


def _count(database: psycopg.Connection[Any], since: float, until: float) -> int:
    row = database.execute(_ENDED, [since, until]).fetchone()
    return int(row[0]) if row else 0


class Meter:
    """Who had the cores since it was made."""

    def __init__(self) -> None:
        self._cores, self._mine = _cores(), _mine()

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of the time of all cores: what this run took, this command's part of that, and what others took."""
        busy, total = (now - then for now, then in zip(_cores(), self._cores, strict=True))
        spent = {pid: ticks - self._mine.get(pid, 0) for pid, ticks in _mine().items()}
        mine, own = sum(spent.values()), spent.get(os.getpid(), 0)
        return mine / max(total, 1), own / max(total, 1), max(busy - mine, 0) / max(total, 1)


def _cores() -> tuple[int, int]:
    """Ticks of all cores together: busy, and all."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)


def _mine() -> dict[int, int]:
    """Ticks that this process and all that descend from it have spent, by pid."""
    parents, spent = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it ended meanwhile
            words = path.read_text().rpartition(")")[2].split()
            pid = int(path.parent.name)
            parents[pid], spent[pid] = int(words[1]), int(words[11]) + int(words[12])
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return {pid: spent[pid] for pid in family}
