"""`manage.py sweeper`: offers due work again every second, and does it itself when nobody else does."""

import signal
import time
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from chimeway_py.watchdog import HangWatch
from workflows.services.sweeping import Sweeper

log = structlog.get_logger(__name__)


class Command(BaseCommand):
    help = (
        "Run a sweeper: every second it tells the workers which tenants have due work. Work that is still due after "
        "--patience seconds it does itself, so that runs move on while the broker is away. Any number may run at once."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=1.0, help="seconds between two sweeps (default 1)")
        parser.add_argument("--patience", type=float, default=5.0, help="seconds before it works itself (default 5)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Sweep until SIGTERM or Ctrl-C."""
        going = True

        def leave(*_: Any) -> None:
            nonlocal going
            going = False

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, leave)
        sweeper = Sweeper(patience=options["patience"])
        HangWatch().start()
        while going:
            try:
                sweeper.sweep()
            except DatabaseError as error:  # PostgreSQL is away or restarting: the next round finds it
                log.warning("sweep_failed", error=type(error).__name__)
                close_old_connections()
            time.sleep(options["every"])
