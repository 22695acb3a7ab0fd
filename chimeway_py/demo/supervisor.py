"""Keeps the processes of the service alive: one that ends is started again, later each time that it ends soon."""

import time
from collections.abc import Sequence

from chimeway_py.demo.screen import say
from chimeway_py.embedded.processes import Child

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds between an end and the next start
SETTLED = 20.0  # seconds after which a process counts as healthy and its pauses begin anew


class Watched:
    """One process, when it was started, and how long to wait before the next time."""

    def __init__(self, child: Child, longest_pause: float = LONGEST_PAUSE) -> None:
        self.child = child
        self.longest_pause = longest_pause
        self.pause = FIRST_PAUSE
        self.started_at = 0.0
        self.start_at: float | None = None

    def start(self, now: float) -> None:
        """Start the process."""
        self.child.start()
        self.started_at, self.start_at = now, None

    def look(self, now: float) -> None:
        """Plan a start for a process that ended, and start one whose time has come."""
        if self.start_at is not None:
            if now >= self.start_at:
                self.start(now)
        elif not self.child.is_running:
            if now - self.started_at > SETTLED:
                self.pause = FIRST_PAUSE
            say(f"{self.child.name} ended (exit code {self.child.exit_code}); starting it again in {self.pause:g} s")
            self.start_at, self.pause = now + self.pause, min(self.pause * 2, self.longest_pause)


class Supervisor:
    """Starts, watches and stops a set of processes."""

    def __init__(self, children: Sequence[Child], longest_pause: float = LONGEST_PAUSE) -> None:
        self.watched = [Watched(child, longest_pause) for child in children]

    def child(self, name: str) -> Child:
        """The process of that name. Raises KeyError."""
        for watched in self.watched:
            if watched.child.name == name:
                return watched.child
        raise KeyError(name)

    def start(self) -> None:
        """Start all of them and return at once."""
        now = time.monotonic()
        for watched in self.watched:
            watched.start(now)

    def look(self) -> None:
        """Start again what ended. Call it a few times a second."""
        for watched in self.watched:
            watched.look(time.monotonic())

    def stop(self, grace: float = 15.0) -> None:
        """Ask all of them to end at once, wait up to `grace` seconds in all, then end whatever is left."""
        deadline = time.monotonic() + grace
        for watched in self.watched:
            watched.child.ask_to_stop()
        for watched in self.watched:
            watched.child.stop(grace=max(0.0, deadline - time.monotonic()))

    def kill(self) -> None:
        """SIGKILL to all of them, now."""
        for watched in self.watched:
            watched.child.kill()
