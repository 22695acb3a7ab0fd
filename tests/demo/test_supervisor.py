"""The supervisor starts again what ends, later each time, and leaves nothing behind."""

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chimeway_py.demo.supervisor import FIRST_PAUSE, LONGEST_PAUSE, SETTLED, Supervisor, Watched
from chimeway_py.embedded.processes import Child
from tests.embedded.gone import ends


class Ended(Child):
    """A process that ended at once, and counts how often it was started."""

    def __init__(self) -> None:
        super().__init__("ended", ["true"])
        self.starts = 0

    def start(self, feed: bytes = b"") -> None:
        self.starts += 1

    @property
    def is_running(self) -> bool:
        return False


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Child]:
    child = Child("sleeper", [sys.executable, "-c", "import time; time.sleep(60)"], log=tmp_path / "log")
    yield child
    child.kill()


def until(condition: Callable[[], bool], look: Callable[[], None], seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        look()
        time.sleep(0.02)
    return condition()


def test_a_killed_process_is_started_again(sleeper: Child) -> None:
    supervisor = Supervisor([sleeper])
    supervisor.start()
    first = sleeper.pid

    sleeper.kill()

    assert until(lambda: sleeper.is_running and sleeper.pid != first, supervisor.look)


def test_pauses_double_up_to_a_limit() -> None:
    watched, now, pauses = Watched(Ended()), 0.0, []

    for _ in range(9):
        watched.start(now)
        watched.look(now)
        pauses.append(watched.start_at - now)  # type: ignore[operator]

    assert pauses[:3] == [FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE]
    assert pauses[-1] == LONGEST_PAUSE


def test_a_process_that_lived_long_is_back_soon() -> None:
    watched = Watched(Ended())
    watched.pause = LONGEST_PAUSE

    watched.start(0.0)
    watched.look(SETTLED + 1)

    assert watched.start_at == SETTLED + 1 + FIRST_PAUSE


def test_nothing_is_started_before_its_time() -> None:
    child = Ended()
    watched = Watched(child)
    watched.start(0.0)
    watched.look(0.0)

    watched.look(FIRST_PAUSE - 0.01)
    assert child.starts == 1

    watched.look(FIRST_PAUSE)
    assert child.starts == 2


def test_stopping_ends_all_of_them(sleeper: Child) -> None:
    supervisor = Supervisor([sleeper])
    supervisor.start()
    pid = sleeper.pid

    supervisor.stop()

    assert ends(pid)
