"""The mutants of `bin/prove --mutants` can be made, and one of them is."""

import re
from pathlib import Path

import pytest

from tests.faults.mutants import MUTANTS, ROOT, Mutant, run


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


def test_one_is_made_and_killed_in_a_copy(tmp_path: Path) -> None:
    [signature] = [mutant for mutant in MUTANTS if mutant.name == "signature"]
    before = (ROOT / signature.path).read_text()

    ran = run(signature, tmp_path)

    assert ran.verdict == "killed", ran
    assert ran.tests[0].startswith("tests/signals/test_verification.py::")
    assert (ROOT / signature.path).read_text() == before
