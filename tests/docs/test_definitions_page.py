"""The page about definitions says what the schema says, and its examples are valid."""

import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.docs.pages import ROOT, Block, all_blocks, blocks, code, page, rows_under
from workflows.definitions.conditions import OPERATORS
from workflows.definitions.loader import load
from workflows.definitions.schema import document_schema
from workflows.definitions.validate import validate

PAGE = page("definitions.md")
COMMON = {"key", "kind", "name", "on_outcome"}


def _schema(*path: str) -> Mapping[str, Any]:
    found: Any = document_schema()
    for name in path:
        found = found[name]
    return found  # type: ignore[no-any-return]


def _object(*path: str) -> Mapping[str, Any]:
    """The schema of an object, whether it stands there, in a list, or behind a reference."""
    found = _schema(*path)
    found = found.get("items", found)
    name = found.get("$ref", "").removeprefix("#/$defs/")
    return _object("$defs", name) if name else found


OBJECTS = {
    "The document": _object(),
    "start_on": _object("$defs", "start_on"),
    "templates": _object("$defs", "template"),
    "wait": _object("$defs", "step_wait"),
    "signals": _object("$defs", "step_wait", "properties", "signals"),
    "until": _object("$defs", "step_wait", "properties", "until"),
    "approval": _object("$defs", "step_approval"),
    "branch": _object("$defs", "step_branch"),
    "deliver": _object("$defs", "step_deliver"),
    "http": _object("$defs", "step_http"),
    "external": _object("$defs", "step_external"),
    "digest": _object("$defs", "step_digest"),
    "throttle": _object("$defs", "step_throttle"),
    "retry": _object("$defs", "step_deliver", "properties", "retry"),
}


@pytest.mark.parametrize("heading", OBJECTS)
def test_a_table_names_every_key_of_the_schema_and_no_other(heading: str) -> None:
    rows = rows_under(PAGE, heading)

    shown = {code(row[0]) for row in rows}
    known = set(OBJECTS[heading]["properties"])
    if "kind" in known:  # keys of every step have a table of their own
        known -= COMMON - shown
    assert shown == known


@pytest.mark.parametrize("heading", OBJECTS)
def test_a_table_says_which_keys_are_needed(heading: str) -> None:
    needed = {code(row[0]) for row in rows_under(PAGE, heading) if row[1] == "yes"}

    assert needed == set(OBJECTS[heading].get("required", ())) - (
        COMMON if "kind" in OBJECTS[heading]["properties"] else set()
    )


def test_the_keys_of_every_step_are_told_once() -> None:
    assert {code(row[0]) for row in rows_under(PAGE, "Steps")} | {"on_outcome"} == COMMON


def test_every_kind_of_step_has_a_heading() -> None:
    from workflows.steps.registry import kinds

    kind_row = next(row for row in rows_under(PAGE, "Steps") if code(row[0]) == "kind")
    assert set(re.findall("`(.+?)`", kind_row[2])) == set(kinds())
    assert all(f"\n## {kind}\n" in PAGE.read_text() for kind in kinds())


def test_every_channel_is_named() -> None:
    from deliveries.channels.registry import channels

    row = next(row for row in rows_under(PAGE, "deliver") if code(row[0]) == "channel")
    assert set(re.findall("`(.+?)`", row[2])) == set(channels())


def test_every_outcome_is_told() -> None:
    from deliveries.states import OUTCOMES

    assert {code(row[0]) for row in rows_under(PAGE, "outcomes")} == set(OUTCOMES)


def test_every_operator_is_told() -> None:
    told = [name for row in rows_under(PAGE, "Conditions") for name in re.findall("`(.+?)`", row[0])]

    assert sorted(told) == sorted(OPERATORS)


def test_every_look_back_is_told() -> None:
    from workflows.steps.wait import LOOK_BACKS

    told = {code(row[0]) for row in rows_under(PAGE, "look back")}
    assert told == {*LOOK_BACKS, "PT1H"}


@pytest.mark.parametrize("block", [block for block in all_blocks("yaml") if not block.schema], ids=str)
def test_every_example_is_valid(block: Block) -> None:
    assert validate(_whole(block.text)) == []


def test_the_faults_that_are_shown_are_those_of_the_file_that_is_shown() -> None:
    every = blocks(PAGE)
    (faulty,) = [block for block in every if block.schema == "faulty"]
    shown = every[every.index(faulty) + 1]

    faults = validate(load(faulty.text.encode(), "yaml"))
    assert shown.text.splitlines() == [f"dunning.yaml:{fault['path']}: {fault['message']}" for fault in faults]


def _whole(text: str) -> Any:
    """A whole definition as it is; steps alone in a definition that has the steps they lead to."""
    if not text.startswith("- "):
        return load(text.encode(), "yaml")
    steps = load(f"steps:\n{text}".encode(), "yaml")["steps"]
    led_to = set(re.findall(r"goto: (\w+)", text)) - {step["key"] for step in steps}
    others = [{"key": key, "kind": "deliver", "channel": "in_app", "template": "other"} for key in sorted(led_to)]
    return {"key": "example", "correlation": ["invoice_id"], "steps": [*steps, *others]}


def test_the_samples_that_the_page_names_are_all_there_are() -> None:
    linked = set(re.findall(r"workflows/samples/(\w+\.yaml)", PAGE.read_text()))

    assert linked == {path.name for path in (ROOT / "workflows" / "samples").glob("*.yaml")}
