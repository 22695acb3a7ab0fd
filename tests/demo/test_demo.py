"""The demo as a person meets it: one command, addresses at the end, Ctrl-C, and nothing left."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chimeway_py.embedded.memory import listen
from tests.embedded.gone import children_of, ends
from tests.migrated import ROOT
from tests.plugin import Servers

ROLE = "from django.db import connection; print(connection.settings_dict['USER'])"
START = 90.0  # seconds that a start may take on a busy machine


class Demo:
    """A demo in a folder of its own, started as the command line starts it."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        self.output = home.with_name("output")
        self.env = {**env, "CHIMEWAY_HOME": str(home), "PYTHONUNBUFFERED": "1"}

    def start(self, *options: str) -> None:
        command = [sys.executable, "-m", "chimeway_py.demo", "--port", "0", *options]
        with self.output.open("w") as output:
            self.program = subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=output, stderr=subprocess.STDOUT)

    def said(self, pattern: str) -> str:
        """The first group of the pattern once the output matches it."""
        deadline = time.monotonic() + START
        while not (found := re.search(pattern, self.output.read_text())):
            assert self.program.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)
        return found.group(1)

    def everything(self) -> list[int]:
        """The program and all below it."""
        found, todo = [], [self.program.pid]
        while todo:
            found.append(todo.pop())
            todo += children_of(found[-1])
        return found

    def stop(self) -> None:
        if self.program.poll() is None:
            self.program.send_signal(signal.SIGINT)
            self.program.wait(60)


def manage(env: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """A management command on the demo of this environment, asked for from another folder, as `bin/manage` does."""
    command, env = [sys.executable, "-m", "chimeway_py.demo.manage", *arguments], {**env, "PWD": env["CHIMEWAY_HOME"]}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def given(servers: Servers) -> dict[str, str]:
    """The environment of a reader, who has not set anything."""
    return {name: value for name, value in os.environ.items() if name not in servers.environment()}


@pytest.fixture
def demo(open_folder: Path, given: dict[str, str]) -> Iterator[Demo]:
    demo = Demo(open_folder / "home", given)
    yield demo
    demo.stop()


def status(url: str) -> int:
    with urllib.request.urlopen(url, timeout=20) as answer:
        return int(answer.status)


def test_it_serves_survives_a_crash_of_its_parts_and_leaves_nothing(demo: Demo) -> None:
    demo.start()
    url = demo.said(r"REST +(http://\S+)/v1/")
    key = demo.said(r"API key +(cw_\S+)")
    assert status(f"{url}/readyz") == 200
    assert status(f"{url}/admin/login/") == 200

    second = subprocess.run(
        [sys.executable, "-m", "chimeway_py.demo"], cwd=ROOT, env=demo.env, capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "already runs" in second.stderr

    managed = manage(demo.env, "verify_trace", "--tenant", "acme")
    assert managed.returncode == 0, managed.stderr
    assert "Intact" in managed.stdout
    assert "chimeway_app" in manage(demo.env, "shell", "-v0", "-c", ROLE).stdout, (
        "it has no more rights than the service"
    )

    everything = demo.everything()
    demo.stop()
    assert demo.program.returncode == 0
    assert [pid for pid in everything if not ends(pid)] == []

    demo.start()
    assert demo.said(r"API key +(cw_\S+)") == key, "a second start has the same logins"
    everything = demo.everything()
    demo.program.kill()
    demo.program.wait()
    assert [pid for pid in everything if not ends(pid, 20)] == [], "nothing outlives a demo that was killed"


def test_a_command_says_when_no_demo_runs(open_folder: Path, given: dict[str, str]) -> None:
    told = manage(
        {**given, "CHIMEWAY_HOME": str(open_folder)},
        "explain",
        "--tenant",
        "acme",
        "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10",
    )

    assert told.returncode == 1
    assert "No demo runs in" in told.stderr
    assert "bin/demo" in told.stderr


def test_a_taken_port_is_named(demo: Demo) -> None:
    with listen() as taken:
        port = taken.getsockname()[1]
        demo.start("--port", str(port))

        assert demo.program.wait(START) == 1

    assert f"Port {port} cannot be used" in demo.output.read_text()


def test_every_step_of_the_scenario_holds(demo: Demo) -> None:
    demo.start("--once")

    assert demo.program.wait(4 * START) == 0, demo.output.read_text()
    assert "Every step held" in demo.output.read_text()
