"""Processes that serve look for garbage less often than Python does by itself."""

import subprocess
import sys

import pytest

from chimeway_py.garbage import OBJECTS

WEB = "import gc, chimeway_py.wsgi; print(gc.get_threshold()[0], gc.get_freeze_count() > 0)"
POOL = (
    "import gc, chimeway_py.celery; from celery.signals import worker_process_init; worker_process_init.send(None); "
    "print(gc.get_threshold()[0], gc.get_freeze_count() > 0)"
)


@pytest.mark.parametrize("program", [WEB, POOL], ids=["web", "pool"])
def test_what_is_loaded_is_not_looked_at(program: str) -> None:
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert said.stdout.split() == [str(OBJECTS), "True"]
