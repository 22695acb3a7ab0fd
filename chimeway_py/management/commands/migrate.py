"""Django's `migrate`, fit for a service that runs meanwhile: it never makes others queue behind its wait for a lock.

`ALTER TABLE` waits until nobody uses the table, and while it waits, everybody else waits behind it. So it waits for a
moment only, rolls back, lets the others pass, and tries again. Django's migrations are one transaction each, and those
that are done are not done again, so trying again is going on.
"""

import random
import time
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections

LOCK_NOT_AVAILABLE, DEADLOCK = "55P03", "40P01"


class Command(migrate.Command):
    help = f"{migrate.Command.help} Gives up a lock that it does not get soon, and tries again."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--lock-timeout", type=float, default=1.0, help="seconds to wait for a lock (default 1)")
        parser.add_argument("--tries", type=int, default=60, help="how often to try in all (default 60)")

    def handle(self, *args: Any, **options: Any) -> None:
        for number in range(1, options["tries"] + 1):
            self._be_patient_with_statements_and_not_with_locks(options["database"], options["lock_timeout"])
            try:
                super().handle(*args, **options)
            except OperationalError as error:
                if _sqlstate(error) not in (LOCK_NOT_AVAILABLE, DEADLOCK):
                    raise
                self.stderr.write(f"A table is in use: tried {number} of {options['tries']} times.")
            else:
                return
            time.sleep(options["lock_timeout"] * (1 + random.random()))  # noqa: S311 (lets others pass)
        raise CommandError("A lock was never given. What was migrated so far stays; run it again.")

    def _be_patient_with_statements_and_not_with_locks(self, database: str, seconds: float) -> None:
        """An index of a large table takes longer than any request may."""
        with connections[database].cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(f"SET lock_timeout = {int(seconds * 1000)}")


def _sqlstate(error: OperationalError) -> str:
    return str(getattr(error.__cause__, "sqlstate", ""))
