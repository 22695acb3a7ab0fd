"""`python -m chimeway_py.demo.manage`: a management command with the settings of the demo that runs here."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from chimeway_py.demo.commands import ROOT
from chimeway_py.demo.place import NotRunning, Place


def main(arguments: Sequence[str]) -> NoReturn:
    """Become `manage.py` with these arguments. Exits with 1 and says so when no demo runs here."""
    try:
        settings = Place().running_settings()
    except NotRunning as error:
        sys.exit(f"✗ {error}")
    os.chdir(os.environ.get("PWD", ROOT))
    os.execve(sys.executable, [sys.executable, str(ROOT / "manage.py"), *arguments], {**os.environ, **settings})


if __name__ == "__main__":
    main(sys.argv[1:])
