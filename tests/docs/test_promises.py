"""Every promise and every fault that the pages name is held by something that is there."""

import re
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, page
from tests.faults.chaos import KINDS
from tests.faults.facts import ZERO
from tests.faults.table import HEADING, beyond, holders, not_verified, rows

PROMISE, RELIABILITY = page("promise.md"), page("reliability.md")
FAULTS = {*KINDS, "every run", "throughput", "upgrade"}


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


def test_no_row_of_a_fault_is_overlooked() -> None:
    """Below the heading of the faults every row of a table has an id, and the ids of a table count from 1."""
    text = RELIABILITY.read_text()
    faults = text[text.index("## The faults") : text.index(HEADING)]
    tables = re.findall(r"^### .+$\n\n((?:\|.*\n)+)", faults, re.MULTILINE)

    found = [line.split("|")[1].strip() for table in tables for line in table.splitlines()[2:]]
    letters = list(dict.fromkeys(name[0] for name in found))

    assert len(tables) == len(letters) == 6
    assert found == [row.id for row in rows()]
    for letter in letters:
        mine = [name for name in found if name[0] == letter]
        assert mine == [f"{letter}{number}" for number in range(1, len(mine) + 1)]


def test_every_fault_has_a_test_or_is_said_to_be_unverified() -> None:
    found = rows()

    assert len(found) > 80
    assert [row.id for row in found if not row.holders and not row.gap.startswith("not verified: ")] == []


def test_the_numbers_that_a_run_wants_at_zero_are_named() -> None:
    (row,) = re.findall(r"^\| stuck \| (.+) \|$", RELIABILITY.read_text(), re.MULTILINE)

    assert row.partition("not zero: ")[2].split(", ") == [name.replace("_", " ") for name in ZERO]


def test_every_fault_of_prove_has_a_row() -> None:
    named = {kind for row in rows() for kind in row.kinds}

    assert set(KINDS) - named == set()


def test_what_the_page_admits_is_what_a_run_prints() -> None:
    text = RELIABILITY.read_text()
    printed = "\n".join(not_verified({}))
    faults, _, last = text.partition(HEADING)
    faults = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", faults)
    admitted = re.findall(r"(?:not verified|in part): (.+?) \|$", faults, re.MULTILINE)

    assert len(admitted) == len([row for row in rows() if row.gap]) > 10
    assert [reason for reason in admitted if reason not in printed] == []
    assert len(beyond()) == last.count("\n- ") > 5
    assert all(item in printed for item in beyond())


def test_a_run_tells_how_often_it_did_what_a_row_admits_to_be_weak() -> None:
    text = "| P1 | kill -9 | nothing lost | `prove: kill_work`, `tests/a.py::test_b`; in part: twice |\n"
    text += f"| P2 | storms | nothing lost | not verified: no weather |\n{HEADING}\n\n- power\n  cuts\n- disks\n"

    assert list(not_verified({"kill_work": 3, "kill_web": 1}, text)) == [
        "power cuts",
        "disks",
        "P1 kill -9: in part: twice (this run: kill_work 3)",
        "P2 storms: not verified: no weather",
    ]
