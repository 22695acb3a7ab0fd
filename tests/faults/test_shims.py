"""Clocks that are wrong, and processes that die at a line: only where a test asks for it."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults import chaos, shims
from tests.faults.chaos import moments

ROOT = Path(__file__).resolve().parents[2]
PLAIN = {"PATH": os.environ["PATH"]}


def python(code: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], env=env, cwd=ROOT, capture_output=True, text=True, check=False)


def test_every_way_to_ask_for_the_time_is_shifted(tmp_path: Path) -> None:
    code = """
import datetime, time
utc = datetime.datetime.now(datetime.UTC).timestamp()
local = datetime.datetime.now().timestamp()
print(int(time.time()), int(utc), int(local), int(time.time_ns() // 10**9))
assert isinstance(datetime.datetime.now(), datetime.datetime)
assert isinstance(datetime.datetime.fromtimestamp(0), datetime.datetime)
"""
    told = tmp_path / "clock"
    real = [int(number) for number in python(code, PLAIN).stdout.split()]
    shifted = [int(number) for number in python(code, shims.off_by(PLAIN, 3600, tells=told)).stdout.split()]

    assert all(3600 <= late - early < 3630 for early, late in zip(real, shifted, strict=True)), (real, shifted)
    assert 3590 < float(told.read_text()) - told.stat().st_mtime < 3610


def test_a_failpoint_kills_at_the_call_it_names_and_says_so(tmp_path: Path) -> None:
    code = "import colorsys\nfor n in range(5): print(n, colorsys.rgb_to_hls(1, 1, 1) and '', flush=True)"

    before = python(code, shims.dies_at(PLAIN, "colorsys:rgb_to_hls=3", tells=tmp_path / "reached"))
    beyond = python(code, shims.dies_at(PLAIN, "colorsys:rgb_to_hls=9", tells=tmp_path / "never"))
    after = python(code, shims.dies_at(PLAIN, "colorsys:rgb_to_hls=3+"))
    never = python(code, PLAIN)

    assert (before.returncode, before.stdout.split()) == (-9, ["0", "1"])
    assert (after.returncode, after.stdout.split()) == (-9, ["0", "1"])
    assert ((tmp_path / "reached").read_text(), beyond.returncode) == ("colorsys:rgb_to_hls\n", 0)
    assert not (tmp_path / "never").exists()
    assert (never.returncode, never.stdout.split()) == (0, ["0", "1", "2", "3", "4"])


def test_every_failpoint_names_a_function_that_is_there() -> None:
    points = [value for name, value in vars(shims).items() if name.isupper() and isinstance(value, str)]
    places = [point.partition("=")[0].split(":") for point in points]
    code = f"""
import functools, importlib, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chimeway_py.settings")
import django; django.setup()
for module, name in {places!r}:
    assert callable(functools.reduce(getattr, name.split("."), importlib.import_module(module)))
"""
    assert points
    assert python(code, dict(os.environ)).returncode == 0


def test_nothing_of_the_service_knows_of_failpoints() -> None:
    """They are put in from outside: what runs in production has no such code."""
    ours = [
        path
        for app in ("chimeway_py", "tenants", "signals_app", "workflows", "deliveries")
        for path in (ROOT / app).rglob("*.py")
    ]

    assert ours
    assert [path for path in ours if "FAILPOINT" in path.read_text().upper()] == []


@pytest.fixture
def child() -> Any:
    """A process that does nothing, and does not run yet."""
    return SimpleNamespace(name="work", env={"A": "1"}, pid=1, is_running=False, kill=lambda: None)


@pytest.fixture
def world(child: Any, tmp_path: Path) -> chaos.World:
    """One in which every process is that one."""
    ground: Any = SimpleNamespace(child=lambda name: child, folder=tmp_path)
    return chaos.World(ground, random.Random(1), chaos.Broken("die_before_finish", 4))


@pytest.mark.parametrize("reached", [True, False])
def test_a_death_counts_where_the_point_was_reached(reached: bool, world: chaos.World, child: Any) -> None:
    """A process that ended for another reason was once counted, and so was one that never came there."""
    dying = moments.die_before_finish(world)
    next(dying)
    child.is_running = True
    next(dying)
    assert not world.broken.happened
    if reached:
        (world.ground.folder / "reached-work-4.000").touch()
    child.is_running = False

    assert [*dying] == []

    assert (world.broken.happened, world.kills) == (reached, {"failpoints": 1} if reached else {})
    assert ("nothing came to" in world.broken.note) != reached


def test_what_a_process_that_starts_slowly_comes_to_counts(
    world: chaos.World, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most of ten seconds once went by before Celery had started."""
    now = 0.0
    monkeypatch.setattr(moments, "time", SimpleNamespace(monotonic=lambda: now))
    dying = moments.die_before_finish(world)
    next(dying)
    child.is_running = True
    next(dying)
    now = 25.0
    next(dying)
    (world.ground.folder / "reached-work-4.000").touch()

    assert [*dying] == []
    assert (world.broken.happened, world.broken.gave_up) == (True, False)


@pytest.mark.parametrize(("tells", "tried"), [(3600, True), (0, True), (None, True), (3600, False)])
def test_a_wrong_clock_counts_where_processes_told_it_and_did_something(
    tells: float | None, tried: bool, world: chaos.World, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos.World, "ask", lambda *_: int(tried))
    monkeypatch.setattr(moments, "REACHED_WITHIN", 0.01)
    clock = moments.clock_ahead(world)
    next(clock)
    child.is_running = True
    if tells is not None:
        Path(child.env["CLOCK_TOLD"]).write_text(f"{time.time() + tells}\n")

    for _ in clock:
        pass

    assert world.broken.happened == (tells == 3600 and tried) != world.broken.gave_up


def test_of_two_faults_at_once_each_takes_out_what_it_put_in(
    world: chaos.World, child: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong clock that began during a failpoint once put it in again at its end, for good."""
    monkeypatch.setattr(moments, "REACHED_WITHIN", 0.05)
    dying, clock = moments.die_before_finish(world), moments.clock_behind(world)

    next(dying)
    next(clock)
    child.is_running = True
    began = {**child.env}
    next(dying)
    child.is_running = False
    assert [*dying] == []
    meanwhile = {**child.env}
    for _ in clock:
        pass

    assert {"FAILPOINTS", "CLOCK_SHIFT"} <= began.keys()
    assert ("FAILPOINTS" in meanwhile, "CLOCK_SHIFT" in meanwhile) == (False, True)
    assert child.env.keys() == {"A", "PYTHONPATH"}
