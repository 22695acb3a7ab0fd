"""Drives journeys: a few threads take whichever is due, so that one that waits for an answer holds up no other."""

import heapq
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.calls import Calls, GaveUp, Tenant
from tests.faults.journeys import Journey, Walker
from tests.faults.scripts import SCRIPTS, Script

THREADS = 24


@dataclass(order=True, slots=True)
class _Due:
    at: float
    number: int
    journey: Journey = field(compare=False)
    script: Script = field(compare=False)


class Drivers:
    """The clients of all tenants."""

    def __init__(self, journeys: Sequence[Journey], calls: Calls, tenants: list[Tenant]) -> None:
        self.began, self.began_at = time.monotonic(), time.time()
        self.total, self.done = len(journeys), 0
        self._wake = threading.Condition()
        self._under_way = 0
        self._due = [
            _Due(self.began + one.at, one.number, one, SCRIPTS[one.kind](Walker(one, calls, tenants), one.choices))
            for one in journeys
        ]
        heapq.heapify(self._due)
        self._threads = [
            threading.Thread(target=self._drive, name=f"driver-{number}", daemon=True) for number in range(THREADS)
        ]

    def start(self) -> None:
        """Begin; the first journeys are due at once."""
        for thread in self._threads:
            thread.start()

    def wait(self, seconds: float) -> bool:
        """Whether all of them came to their end within so many seconds."""
        deadline = time.monotonic() + seconds
        while self.done < self.total and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.done >= self.total

    def _drive(self) -> None:
        while (due := self._next()) is not None:
            try:
                pause = next(due.script)
            except StopIteration:
                due.journey.ended = True
                self._end()
            except GaveUp as gave_up:
                due.journey.surprises.append(f"never answered: {gave_up}")
                self._end()
            except Exception as error:
                due.journey.surprises.append(f"the driver broke: {error!r}")
                self._end()
            else:
                due.at = time.monotonic() + pause
                with self._wake:
                    heapq.heappush(self._due, due)
                    self._wake.notify()

    def _end(self) -> None:
        with self._wake:
            self.done += 1
            self._wake.notify_all()

    def _next(self) -> _Due | None:
        with self._wake:
            while True:
                if self.done >= self.total:
                    return None
                pause = self._due[0].at - time.monotonic() if self._due else 1.0
                if self._due and pause <= 0:
                    return heapq.heappop(self._due)
                self._wake.wait(min(pause, 1.0))
