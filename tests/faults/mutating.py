"""Take the guards out one at a time, in a copy of the code, and see the tests that should go red go red.

First the same tests run in a copy that nobody changed: one that is red anyway would count as a guard that held. A
mutant is killed by a test that fails, and not by code that does not load. Nothing is ever changed in place.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.faults.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = shutil.ignore_patterns(".git", ".venv", ".chimeway", ".hypothesis", ".*_cache", "__pycache__", "images")
PATIENCE = 170  # seconds for the tests of one mutant
BASE_PATIENCE = 400  # seconds for the tests of all of them, with nothing taken out
NOT_LOADED = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError")


@dataclass(frozen=True, slots=True)
class Told:
    """What pytest told of some tests, each by its id: `path::name[parameters]`."""

    passed: tuple[str, ...]
    failed: tuple[str, ...]
    broken: tuple[str, ...]  # not collected, not set up, or ended by code that does not load

    def misses(self, tests: Iterable[str]) -> list[str]:
        """Those of the tests that did not pass."""
        return [name for name in tests if not any(_is_of(one, name) for one in self.passed)]


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of a mutant. `killed`, `survived`, or `broken`: its tests said nothing about it."""

    mutant: Mutant
    verdict: str
    tests: tuple[str, ...]
    seconds: float

    def __str__(self) -> str:
        first = self.tests[0].rpartition("::")[2].partition("[")[0] if self.tests else "no test went red"
        return f"  {self.verdict:<9} {self.mutant.name:<20} {self.seconds:5.1f} s  {first}"


def baseline(mutants: Sequence[Mutant], folder: Path, root: Path = ROOT) -> list[str]:
    """Run the tests of all of them with nothing taken out; those that were not green."""
    red: list[str] = []
    with _copy(root, folder) as copy:
        for alone in (False, True):
            tests = tuple(dict.fromkeys(name for one in mutants if one.alone == alone for name in one.tests))
            told = _test(tests, copy, folder / "home", alone=alone, patience=BASE_PATIENCE) if tests else None
            red += [*told.failed, *told.broken, *told.misses(tests)] if told else []
    return list(dict.fromkeys(red))


def run(mutant: Mutant, folder: Path, root: Path = ROOT) -> Ran:
    """Copy the tree, take the guard out, and run the tests that must notice."""
    began = time.monotonic()
    with _copy(root, folder) as copy:
        mutant.apply(copy)
        told = _test(mutant.tests, copy, folder / "home", alone=mutant.alone, patience=PATIENCE)
    silent = told.broken or told.misses(mutant.tests)
    verdict = "killed" if told.failed else "broken" if silent else "survived"
    return Ran(mutant, verdict, told.failed or told.broken, time.monotonic() - began)


def main(say: Callable[..., None] = print) -> int:
    """Run all, print a line for each; 0 when every one was killed and all tests are green without them."""
    left = []
    with tempfile.TemporaryDirectory(prefix="chimeway-mutants-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # databases are migrated once for all that leave the migrations alone
        began = time.monotonic()
        if red := baseline(MUTANTS, folder):
            say("✗ Not green although nothing was taken out:", *red, sep="\n  ")
            return 1
        say(f"  green     with every guard     {time.monotonic() - began:5.1f} s", flush=True)
        for mutant in MUTANTS:
            ran = run(mutant, folder)
            say(ran, flush=True)
            left += [] if ran.verdict == "killed" else [mutant.name]
    say(f"✗ Not killed: {', '.join(left)}" if left else f"✓ All {len(MUTANTS)} were killed")
    return 1 if left else 0


@contextmanager
def _copy(root: Path, folder: Path) -> Iterator[Path]:
    copy = folder / "tree"
    shutil.copytree(root, copy, ignore=NOT_COPIED)
    try:
        yield copy
    finally:
        shutil.rmtree(copy)


def _test(tests: Sequence[str], copy: Path, home: Path, *, alone: bool, patience: float) -> Told:
    """Run them in the copy. A run that tells nothing, or takes too long, passes and fails nothing."""
    answer = copy / "told.xml"
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]
    words += [f"--junitxml={answer}", *tests]
    if alone:
        words += ["-p", "pytest_django.plugin", "--noconftest", "-o", "addopts=--import-mode=importlib"]
    if patience == PATIENCE:
        words.append("-x")  # one red test is enough; without mutants all of them are told
    env = {**os.environ, "CHIMEWAY_HOME": str(home), "DEBUG": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    for name in ("DJANGO_SETTINGS_MODULE", "PYTEST_ADDOPTS", "PYTEST_CURRENT_TEST", "DATABASE_URL"):
        env.pop(name, None)
    if alone:
        env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they need the settings, and none of the other plugins
    with subprocess.Popen(words, cwd=copy, env=env, stdout=subprocess.DEVNULL, start_new_session=True) as running:
        try:
            running.wait(patience)
        except BaseException as stopped:
            running.send_signal(signal.SIGINT)  # pytest ends its servers
            running.wait(30)
            if not isinstance(stopped, subprocess.TimeoutExpired):
                raise
    return _read(answer)


def _read(answer: Path) -> Told:
    passed, failed, broken = [], [], []
    cases = ElementTree.parse(answer).iter("testcase") if answer.exists() else ()  # noqa: S314  pytest's own
    for case in cases:
        name = f"{case.get('file') or case.get('classname')}::{case.get('name')}"
        failure = case.find("failure")
        if failure is not None:
            is_of_the_test = not (failure.get("message") or "").startswith(NOT_LOADED)
            (failed if is_of_the_test else broken).append(name)
        elif case.find("error") is not None:
            broken.append(name)
        elif case.find("skipped") is None:
            passed.append(name)
    return Told(tuple(passed), tuple(failed), tuple(broken))


def _is_of(one: str, name: str) -> bool:
    """Whether a test is the one of that name, one of its cases, or in the file of that name."""
    return one == name or one.startswith((f"{name}[", f"{name}::"))


if __name__ == "__main__":
    sys.exit(main())
