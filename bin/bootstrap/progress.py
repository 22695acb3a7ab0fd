"""What the commands say while they get ready."""

import sys
from typing import NoReturn


def say(text: str) -> None:
    """One line of progress, at once."""
    print(f"· {text}", flush=True)


def overwrite(text: str) -> None:
    """A line that the next one replaces; nothing where the output is not a terminal."""
    if sys.stdout.isatty():
        print(f"\r  {text[:100]}\x1b[K", end="", flush=True)


def fail(text: str) -> NoReturn:
    """Say what is wrong and leave with exit code 1."""
    sys.exit(f"✗ {text}")
