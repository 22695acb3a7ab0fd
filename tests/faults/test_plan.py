"""The plan of `bin/prove`: the same seed gives the same, and it holds what it promises."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults import throughput
from tests.faults.chaos import KINDS
from tests.faults.checker import EXPECTED
from tests.faults.definitions import DEFINITIONS
from tests.faults.plan import ALWAYS, FULL, QUICK, make_plan
from tests.faults.scripts import SCRIPTS
from workflows.definitions.validate import validate

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("length", [QUICK, FULL], ids=["quick", "full"])
def test_a_seed_is_a_plan(length) -> None:  # type: ignore[no-untyped-def]
    assert str(make_plan("one", length)) == str(make_plan("one", length))
    assert str(make_plan("one", length)) != str(make_plan("two", length))


def test_a_quick_run_has_the_faults_that_every_run_has() -> None:
    for seed in "abcdef":
        assert set(ALWAYS) <= {fault.kind for fault in make_plan(seed, QUICK).faults}


def test_a_full_run_has_every_kind_of_fault_and_every_journey() -> None:
    plan = make_plan("any", FULL)

    assert {fault.kind for fault in plan.faults if fault.alone} == set(KINDS)
    together = [fault.kind for fault in plan.faults if not fault.alone]
    assert len(together) == FULL.storm_faults
    assert plan.at_capacity == throughput.KINDS
    assert {journey.kind for journey in plan.journeys} == set(SCRIPTS) == set(EXPECTED)


@pytest.mark.parametrize("document", DEFINITIONS, ids=lambda document: document["key"])
def test_its_workflows_are_valid(document) -> None:  # type: ignore[no-untyped-def]
    assert validate(document) == []


def test_the_command_prints_it_and_does_nothing() -> None:
    command = [sys.executable, "-m", "tests.faults", "--quick", "--seed", "one", "--plan"]

    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert told.strip() == str(make_plan("one", QUICK)).strip()
