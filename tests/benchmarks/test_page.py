"""The page of the benchmarks names every option of each of them, with its default, and no other."""

import argparse
import re

import pytest

from benchmarks.__main__ import NAMES, parse
from tests.docs.pages import ROOT

PAGE = (ROOT / "docs" / "performance.md").read_text()
SHARED = {"json", "folder", "statements", "setting", "quick"}  # in a table for all
_ROW = re.compile(r"^\| `--([a-z-]+)[^`]*` \| ([^|]*) \| ([^|]*) \| [^|]+ \|$", re.MULTILINE)
_SHARED_ROW = re.compile(r"^\| `--([a-z-]+)[^`]*` \| [^|]+ \|$", re.MULTILINE)


def _section(name: str) -> str:
    (found,) = re.findall(rf"^## `{name}`$\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


def _options(name: str) -> dict[str, argparse.Action]:
    parser, _ = parse([name])
    (chosen,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    own = chosen.choices[name]._actions
    return {long.removeprefix("--"): one for one in own for long in one.option_strings if long.startswith("--")}


def _told(name: str, words: list[str]) -> dict[str, str]:
    values = vars(parse([name, *words])[1])
    return {option: _shown(values[action.dest]) for option, action in _options(name).items() if action.dest in values}


def _shown(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(_shown, value))
    if isinstance(value, bool) or value is None:
        return ""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_tells_every_option_with_its_default_and_its_quick_one(name: str) -> None:
    options = _options(name).keys() - SHARED - {"help"}
    usual, quick = _told(name, []), _told(name, ["--quick"])
    outside = {"peer-python"}  # the python that runs this, and where BENCH_… say

    told = {row[0]: row[1:] for row in _ROW.findall(_section(name))}

    assert told.keys() == options
    for option in sorted(options - outside):
        assert told[option] == (usual[option], quick[option] if quick[option] != usual[option] else ""), option


def test_the_page_tells_the_options_that_all_have() -> None:
    before = PAGE.split("\n## ")[0]

    assert set(_SHARED_ROW.findall(before)) == SHARED
    for name in NAMES:
        assert _options(name).keys() >= SHARED
