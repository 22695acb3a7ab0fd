"""Running a page: its shell blocks as one script in an empty folder, its Python blocks as the files they name."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.docs.pages import Block, blocks

_MARK = "--- end of block ---"
_FILE_NAME = re.compile(r"# (?P<name>\w+\.(py|yaml|json))\b")
FILLED_IN = "export "


@dataclass(frozen=True)
class Step:
    """One shell block that ran, what it printed, and the block of expected output that follows it, if any."""

    block: Block
    printed: str
    expected: Block | None


def run_page(page: Path, folder: Path, env: Mapping[str, str]) -> list[Step]:
    """Run a page as a reader would. Raises AssertionError with what a block said when it fails."""
    every = blocks(page)
    _write_files(every, folder)
    shells = [block for block in every if block.language == "sh"]
    script = "\n".join(["set -eu", *(f"{_without_placeholders(block)}\necho '{_MARK}'" for block in shells)])
    done = subprocess.run(
        ["sh", "-c", script],
        cwd=folder,
        env={**env, "PATH": _path(folder, env["PATH"])},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    printed = done.stdout.split(f"{_MARK}\n")
    assert done.returncode == 0, f"{shells[len(printed) - 1]} failed:\n{printed[-1]}{done.stderr}"
    return [Step(block, said, _after(every, block)) for block, said in zip(shells, printed, strict=False)]


def _write_files(every: list[Block], folder: Path) -> None:
    """A block that begins with `# name.py` or `# name.yaml` is the file of that name."""
    for block in every:
        named = _FILE_NAME.match(block.text) if block.language in ("python", "yaml") else None
        if named:
            (folder / named["name"]).write_text(block.text)


def _without_placeholders(block: Block) -> str:
    """The lines of a block but for those that a reader fills in; the environment has those values."""
    return "".join(line for line in block.text.splitlines(keepends=True) if not line.startswith(FILLED_IN))


def _after(every: list[Block], block: Block) -> Block | None:
    position = every.index(block) + 1
    follower = every[position] if position < len(every) else None
    return follower if follower and follower.language in ("json", "text") else None


def _path(folder: Path, path: str) -> str:
    """This Python first, and a curl of our own where the machine has none."""
    programs = folder / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    if shutil.which("curl", path=path) is None:
        ours = programs / "curl"
        ours.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{Path(__file__).with_name('curl.py')}' \"$@\"\n")
        ours.chmod(0o755)
    return f"{programs}:{path}"
