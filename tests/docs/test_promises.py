"""Every promise and every fault that the pages name is held by something that is there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, page
from tests.faults.chaos import KINDS
from tests.faults.report import NOT_VERIFIED

PROMISE, RELIABILITY = page("promise.md"), page("reliability.md")
FAULTS = {*KINDS, "every run", "throughput"}


def holders(text: str) -> list[str]:
    """Names of tests and of faults of `bin/prove`, in backticks."""
    return [name for name in re.findall(r"`([^`]+)`", text) if "::" in name or name.startswith("prove: ")]


def rows() -> list[list[str]]:
    """The cells of each row of the tables of faults, without their heads."""
    lines = [line for line in RELIABILITY.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if len(row) == 3 and row[0] != "fault" and not row[0].startswith("---")]


def promises() -> list[str]:
    """The items of the page of promises."""
    return re.findall(r"^- (?:.+\n)+?(?=- |\n|\Z)", PROMISE.read_text(), re.MULTILINE)


ALL = sorted({name for path in (PROMISE, RELIABILITY) for name in holders(path.read_text())})


@pytest.mark.parametrize("name", ALL)
def test_what_holds_it_is_there(name: str) -> None:
    if name.startswith("prove: "):
        assert name.removeprefix("prove: ") in FAULTS
    else:
        path, _, function = name.partition("::")
        assert re.search(rf"^def {re.escape(function)}\(", Path(ROOT / path).read_text(), re.MULTILINE)


def test_every_sentence_of_the_promise_is_held_by_something() -> None:
    found = promises()

    assert len(found) > 20
    assert [text for text in found if not holders(text)] == []


def test_every_fault_has_a_test_or_is_said_to_be_unverified() -> None:
    found = rows()

    assert len(found) > 80
    assert [row[0] for row in found if not holders(row[2]) and not row[2].startswith("not verified: ")] == []


def test_every_fault_of_prove_has_a_row() -> None:
    named = {name.removeprefix("prove: ") for row in rows() for name in holders(row[2])}

    assert set(KINDS) - named == set()


def test_what_the_command_does_not_verify_is_on_the_page() -> None:
    text = " ".join(RELIABILITY.read_text().split())

    assert [line for line in NOT_VERIFIED if line not in text] == []
