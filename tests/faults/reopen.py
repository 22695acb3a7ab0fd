"""Look into the database that a run left: `python -m tests.faults.reopen FOLDER` serves it until Ctrl-C."""

import signal
import sys
from pathlib import Path

from chimeway_py.demo.screen import say
from chimeway_py.embedded.postgres import Postgres


def main(folder: Path) -> None:
    """Start the server in the folder of a run, say where it is, wait."""
    postgres = Postgres(folder / "postgres")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        postgres.start()
        say(f"psql '{postgres.url('postgres')}'   Ctrl-C stops it")
        signal.pause()
    except KeyboardInterrupt:
        say("Stopping")
    finally:
        postgres.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
