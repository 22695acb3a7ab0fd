"""The mutants of `bin/prove --mutants` can be made, one of them is, and what becomes of one is judged rightly."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.mutants import MUTANTS, Mutant
from tests.faults.mutating import ROOT, baseline, run


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_its_text_stands_once_and_its_tests_are_there(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.path
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / mutant.path).read_text())

    mutant.apply(tmp_path)

    assert copy.read_text() != (ROOT / mutant.path).read_text()
    compile(copy.read_text(), mutant.path, "exec")
    for name in mutant.tests:
        path, _, function = name.partition("::")
        text = (ROOT / path).read_text()
        assert not function or re.search(rf"^def {re.escape(function)}\(", text, re.MULTILINE)


def test_a_patch_that_fits_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("twice twice")

    for old in ("never", "twice"):
        with pytest.raises(ValueError, match="stands"):
            Mutant("one", "a guard", "a.py", old, "", ()).apply(tmp_path)


GUARD = """
def may_pass(age):
    if age < 18:
        return False
    return True
"""
TESTS = """
import pytest
import guard


def test_it_is_held():
    assert not guard.may_pass(17)


def test_it_is_not_held():
    assert guard.may_pass(18)


def test_it_is_red_anyway():
    assert not guard.may_pass(18)


@pytest.mark.skip
def test_it_is_never_run():
    assert not guard.may_pass(17)
"""
HELD = Mutant(
    "age", "nobody passes too young", "guard.py", "return False", "pass", ("test_guard.py::test_it_is_held",), True
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with one guard, in place of ours."""
    tree = tmp_path / "project"
    tree.mkdir()
    (tree / "guard.py").write_text(GUARD)
    (tree / "test_guard.py").write_text(TESTS)
    return tree


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({}, "killed"),
        ({"tests": ("test_guard.py::test_it_is_not_held",)}, "survived"),
        ({"new": "pass\nimport nowhere"}, "broken"),  # the test is red, and says nothing of the guard
    ],
)
def test_it_is_killed_by_a_test_that_fails_and_by_nothing_else(
    changed: dict[str, Any], verdict: str, tree: Path, tmp_path: Path
) -> None:
    assert run(replace(HELD, **changed), tmp_path, tree).verdict == verdict


def test_what_is_red_anyway_is_told_before_any_mutant_is_made(tree: Path, tmp_path: Path) -> None:
    held, *others = [f"test_guard.py::test_it_is_{name}" for name in ("held", "red_anyway", "never_run")]

    assert set(baseline([replace(HELD, tests=(held, *others))], tmp_path, tree)) == set(others)


def test_one_is_made_and_killed_in_a_copy(tmp_path: Path) -> None:
    [signature] = [mutant for mutant in MUTANTS if mutant.name == "signature"]
    before = (ROOT / signature.path).read_text()

    ran = run(signature, tmp_path)

    assert ran.verdict == "killed", ran
    assert ran.tests[0].startswith("tests/signals/test_verification.py::")
    assert (ROOT / signature.path).read_text() == before
