"""Ctrl-C in the middle of a run: everything ends, nothing is left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def processes_of(folder: str) -> list[str]:
    """Command lines of processes that know of a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            known = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:  # ended meanwhile, or not ours
            continue
        if folder.encode() in known:
            found.append((process / "cmdline").read_text().replace("\0", " "))
    return found


def test_an_interrupted_run_leaves_no_process_and_no_folder() -> None:
    command = [sys.executable, "-u", "-m", "tests.faults", "--quick", "--seed", "interrupted"]
    proving = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=dict(os.environ))
    assert proving.stdout
    folder = re.search(r"is in (\S+)", proving.stdout.readline())
    assert folder
    while "Publishing" not in (line := proving.stdout.readline()):
        assert line, "it ended before it had begun"
    under_way = processes_of(folder[1])

    proving.send_signal(signal.SIGINT)
    rest, _ = proving.communicate(timeout=120)

    assert len(under_way) > 8, under_way
    assert (proving.returncode, "nothing was judged" in rest) == (130, True)
    deadline = time.monotonic() + 30
    while left := processes_of(folder[1]):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)
    assert not Path(folder[1]).exists()
