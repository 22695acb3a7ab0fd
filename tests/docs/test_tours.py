"""The pages with commands to copy: every block is run, in order, against the service, and prints what is shown."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from chimeway_py.demo.screen import exports
from tests.docs import curl
from tests.docs.likeness import json_faults, output_faults
from tests.docs.pages import blocks, page
from tests.docs.tour import FILLED_IN, run_page

TOURS = [
    *("README.md", "api.md", "signals.md", "explain.md", "versions.md", "templates.md", "channels.md"),
    *("recipients.md", "preferences.md", "quiet-hours.md", "digest.md", "throttle.md", "support.md", "inbox.md"),
    *("limits.md", "security.md", "broadcasts.md", "feedback.md"),
]


@pytest.mark.parametrize("name", TOURS)
def test_every_command_of_a_page_does_what_the_page_shows(name: str, tmp_path: Path, reader: Mapping[str, str]) -> None:
    steps = run_page(page(name), tmp_path, reader)

    told = [
        f"{step.block}: {fault}"
        for step in steps
        if step.expected
        for fault in output_faults(step.expected.language, step.expected.text, step.printed)
    ]
    assert told == []


def test_no_page_has_shell_commands_that_nobody_runs() -> None:
    from tests.docs.pages import PAGES

    assert [path.name for path in PAGES if blocks(path, "sh") and path.name not in TOURS] == []


def test_the_line_to_paste_is_the_one_that_the_demo_prints() -> None:
    lines = [line for block in blocks(page("README.md"), "sh") for line in block.text.splitlines()]
    (asked,) = [line for line in lines if line.startswith(FILLED_IN)]

    printed = exports("http://127.0.0.1:8000", {"api_key": "cw_1", "source": "2", "secret": "whsec_3="})
    assert _names(printed) == _names(asked) == ["URL", "KEY", "HOOK", "SECRET"]


def _names(line: str) -> list[str]:
    return [word.split("=")[0] for word in line.removeprefix(FILLED_IN).split()]


def test_likeness_tells_what_is_missing_and_what_differs() -> None:
    shown = {"id": "01939f3a-7c1e-7b1a-9d5e-0b6a3c2f4d10", "status": "accepted", "more": [1]}

    assert json_faults(shown, {"id": "f" * 8 + "-1111-1111-1111-" + "a" * 12, "status": "accepted", "more": [1]}) == []
    assert json_faults(shown, {"status": "duplicate", "more": []}) == [
        "/id is missing",
        "/status is 'duplicate', 'accepted' is shown",
        "/more has 0 items, 1 are shown",
    ]


def test_our_own_curl_speaks_as_curl_does(reader: Mapping[str, str]) -> None:
    """It stands in on machines that have none."""
    command = [sys.executable, str(Path(curl.__file__)), "-s", "-H", f"Authorization: Bearer {reader['KEY']}"]

    asked = [*command, "-f", f"{reader['URL']}/v1/runs/nowhere"]
    posted = [*command, "-H", "Content-Type: application/json", "--data-binary", "@-", f"{reader['URL']}/v1/signals"]

    assert subprocess.run(asked, check=False, capture_output=True).returncode == 22
    answer = subprocess.run(posted, check=True, capture_output=True, input=b'{"name": "curl.works"}')
    assert b'"accepted"' in answer.stdout
