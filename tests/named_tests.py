"""Tests that a list names as its evidence."""

from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parent.parent


def unknown_tests(names: Iterable[str]) -> set[str]:
    """Those of `file::test` that are not there."""
    found = set()
    for name in names:
        file, _, test = name.partition("::")
        place = ROOT / file
        if not place.is_file() or f"def {test}(" not in place.read_text():
            found.add(name)
    return found
