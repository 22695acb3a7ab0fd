"""Children end: when asked, when not answering, and when their parent is killed."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chimeway_py.embedded.processes import Child
from tests.embedded.gone import ends, is_alive

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
PARENT = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def started(code: str, log: Path) -> Child:
    child = Child("test", [sys.executable, "-c", code], log=log)
    child.start()
    while not child.log_tail():
        assert child.is_running
    return child


def test_a_child_that_ignores_the_request_is_killed_after_the_grace(log: Path) -> None:
    child = started(STUBBORN, log)

    child.stop(grace=0.2)

    assert child.exit_code == -signal.SIGKILL


def test_what_a_child_started_ends_with_it(log: Path) -> None:
    child = started(PARENT, log)
    grandchild = int(child.log_tail())

    child.stop()

    assert ends(grandchild)


def test_what_a_crashed_child_started_ends_when_the_crash_is_seen(log: Path) -> None:
    child = started(PARENT, log)
    grandchild = int(child.log_tail())

    child.signal(signal.SIGKILL)
    child.wait(5)

    assert child.exit_code == -signal.SIGKILL
    assert ends(grandchild)


def test_a_child_dies_with_a_parent_that_was_killed() -> None:
    program = (
        "import os; from chimeway_py.embedded.processes import Child\n"
        "child = Child('x', ['sleep', '60']); child.start(); print(child.pid, flush=True); os.kill(os.getpid(), 9)"
    )

    parent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert ends(int(parent.stdout))


def test_a_child_that_never_started_can_be_stopped() -> None:
    child = Child("never", ["sleep", "60"])

    child.stop()

    assert child.exit_code is None


def test_standard_input_is_fed(tmp_path: Path) -> None:
    child = Child("cat", ["cat"], log=tmp_path / "out")

    child.start(feed=b"a secret that no argument list shows")
    child.wait(5)

    assert child.log_tail() == "a secret that no argument list shows"
    assert not is_alive(child.pid)
