"""From a bare Python to a virtual environment that holds the pinned packages. Standard library only.

A minimal Debian has python3 and neither pip, venv, ensurepip nor curl, so nothing here needs them: the environment is
laid out by hand and pip arrives as one wheel whose hash is known. uv is used where it is found, and never required.
"""

import fcntl
import os
import shutil
import sys
from pathlib import Path

from bootstrap import environment, install
from bootstrap.progress import fail, say

ROOT = Path(__file__).resolve().parent.parent.parent
SUPPORTED = ((3, 11), (3, 15))


def run(requirements: str, module: str, arguments: "list[str]") -> None:
    """Become `python -m module arguments` in a virtual environment with `requirements` (a set of `install.SETS`)."""
    use_supported_python()
    python = ready(requirements)
    os.chdir(ROOT)
    for name in ("PYTHONHOME", "PYTHONPATH"):
        os.environ.pop(name, None)
    os.environ["VIRTUAL_ENV"] = str(python.parent.parent)
    os.execv(python, [str(python), "-m", module, *arguments])


def ready(requirements: str) -> Path:
    """The Python of an environment in which the set is installed. Takes seconds the first time, milliseconds later."""
    home = Path(os.environ.get("CHIMEWAY_VENV") or ROOT / ".venv").absolute()
    python = home / "bin" / "python"
    try:
        home.mkdir(parents=True, exist_ok=True)
        with (home / ".bootstrap-lock").open(
            "w"
        ) as lock:  # a demo and a test run may start in the same moment; `.lock` is uv's
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not environment.works(python):
                say(f"Making a virtual environment with Python {sys.version.split()[0]} in {home}")
                environment.make(home)
            if not install.is_installed(requirements, home, ROOT):
                install.install(requirements, home, ROOT)
    except PermissionError as error:
        fail(f"{error.filename} belongs to another user. Remove {home}, or set CHIMEWAY_VENV to a folder of your own.")
    return python


def use_supported_python() -> None:
    """Go on with this Python if it will do, else with a suitable one from the path, else say what is missing."""
    oldest, first_too_new = SUPPORTED
    if oldest <= sys.version_info[:2] < first_too_new:
        return
    for minor in range(first_too_new[1] - 1, oldest[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    wanted = f"{oldest[0]}.{oldest[1]} to {first_too_new[0]}.{first_too_new[1] - 1}"
    fail(f"Python {wanted} is needed; this is {sys.version.split()[0]} and no other was found on the path.")
