"""Every row of the parity table names something that is there, and a test that proves it."""

import argparse
import ast
import importlib
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

from chimeway_py.schema import document

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")


#: What the five interfaces ask of a store, in the order of the page. A row that goes from the page goes from here.
THEIRS = [
    "upsert_definition, ensure_definition",
    "the same, other document",
    "fetch_definition",
    "persisted_workflow",
    "versions in flight",
    "create_initial_run",
    "active_step_linkage",
    "get_run!, lock_run",
    "get_current_step!, fetch_step_by_key",
    "append_transition",
    "update_run",
    "explain(tenant, run)",
    "list_traces(tenant, run, limit)",
    "route_signal",
    "a cancelled wait",
    "progress rules and outcome words",
    "create_run, payload checked",
    "start idempotency",
    "get_run (include_history)",
    "list_runs",
    "an unknown filter",
    "transition_run",
    "cancel_run",
    "cancel_run, compensation optional",
    "pause results",
    "approve, reject",
    "replay_run",
    "run_transition events",
    "progress operations, dispatch",
    "begin_attempt",
    "complete_attempt, fail_attempt",
    "latest_attempt, attempt_count, next_attempt_number",
    "record_attempt",
    "append → cursor",
    "stream",
    "exists?, list",
    "save, load",
    "delete",
    "save_snapshot, load_snapshot",
    "save_fact, load_fact",
    "from_events",
    "supports_stream?, init_store",
    "insert, get",
    "list_by_owner, list_by_status",
    "append_event, list_events",
    "update_and_append",
    "update_with_revision",
    "insert_step, update_step",
    "get_step, list_steps, find_step_by_run_id",
    "prune_terminal_flows(days)",
    "waits: sticky cancel",
    "waits: timer",
    "waits: external event",
    "waits: manual",
]
#: Nothing to call: one sentence says why.
NOTHING_TO_CALL = {"supports_stream?, init_store"}


def lines() -> list[list[str]]:
    """The cells of every line of a table, but for its head."""
    found = [line for line in PAGE.splitlines() if line.lstrip().startswith("|")]
    return [cells for line in found if (cells := _cells(line))[0] not in ("theirs", "---")]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def rows() -> Iterator[tuple[str, str, str, str]]:
    """(theirs, functions, endpoints and commands, test) of each row that names something."""
    for cells in lines():
        if len(cells) == 4 and cells[0] not in NOTHING_TO_CALL:
            yield cells[0], cells[1], cells[2], cells[3]


def test_every_operation_of_theirs_has_its_row() -> None:
    assert [cells[0] for cells in lines()] == THEIRS


def test_every_row_has_the_same_shape_and_names_what_is_ours() -> None:
    assert [cells for cells in lines() if len(cells) != 4] == []
    assert [row[0] for row in rows() if "`" not in row[1]] == []


def names(column: int) -> list[str]:
    """Every name in backticks of a column, once."""
    return sorted({name for row in rows() for name in re.findall(r"`([^`]+)`", row[column])})


@lru_cache
def functions_of(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


def verbs_of(command: str) -> set[str]:
    """The verbs of a command; empty for one that has none."""
    parser = load_command_class(get_commands()[command], command).create_parser("manage.py", command)
    found = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    return {verb for one in found for verb in one.choices}


@pytest.mark.parametrize("dotted", names(1))
def test_the_function_is_there_and_says_what_its_caller_gets(dotted: str) -> None:
    module, _, name = dotted.rpartition(".")

    assert getattr(importlib.import_module(module), name).__doc__


@pytest.mark.parametrize("surface", names(2))
def test_the_endpoint_or_command_is_there(surface: str) -> None:
    verb, _, what = surface.partition(" ")
    if verb == "manage.py":
        command, _, own = what.partition(" ")
        assert command in get_commands()
        verbs = verbs_of(command)
        assert own in verbs if verbs else not own, sorted(verbs)
    else:
        assert verb.lower() in document()["paths"].get(what, {}), sorted(document()["paths"])


@pytest.mark.parametrize("test", names(3))
def test_the_test_is_there(test: str) -> None:
    path, _, name = test.partition("::")

    assert name in functions_of(ROOT / path)


def test_every_row_has_a_test() -> None:
    assert [row[0] for row in rows() if "::" not in row[3]] == []


def test_every_row_has_an_endpoint_or_a_command_or_says_why_not() -> None:
    named = re.compile(r"`(GET|POST|PUT|PATCH|DELETE|manage\.py) |none: \w")

    assert [row[0] for row in rows() if not named.match(row[2])] == []
