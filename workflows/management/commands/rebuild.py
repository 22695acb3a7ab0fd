"""Rebuild runs from their traces and compare; repair what differs from its trace."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import add_by, recorded
from tenants.management.commands.tenant import existing_tenant
from workflows.history.check import Checked, Selection, check_runs, drop_snapshots
from workflows.history.rebuild import repair_run
from workflows.management.arguments import public_id
from workflows.management.progress import Progress
from workflows.models import Run
from workflows.states import RunState


class Command(BaseCommand):
    help = (
        "Fold the traces of runs from their first line and compare with what is stored. Names every difference and "
        "then exits with 1. The service may be running meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--tenant", action="append", required=True, metavar="SLUG", help="Any number of them.")
        parser.add_argument("--run", type=public_id, metavar="ID", help="Only this run.")
        parser.add_argument("--workflow", metavar="KEY", help="Only runs of this definition.")
        parser.add_argument("--state", choices=RunState.values, help="Only runs that are stored in this state.")
        add_by(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--check", action="store_true", help="Compare and write nothing (the default).")
        which.add_argument("--write", action="store_true", help="Write the state that an intact trace gives.")

    def handle(self, *, tenant: list[str], write: bool, **options: Any) -> None:
        self.options, self.write, self.seen, left = options, write, (0, 0), 0
        self.progress = Progress(self.stderr, shown=options["verbosity"] > 0)
        which = Selection(options["run"], options["workflow"], options["state"])
        for slug in tenant:
            left += self._tenant(existing_tenant(slug).pk, slug, which)
        if left:
            raise CommandError(f"{left} runs are not as their traces say.")

    def _tenant(self, tenant_id: int, slug: str, which: Selection) -> int:
        """How many runs are left wrong."""
        left = 0
        try:
            for checked in check_runs(tenant_id=tenant_id, which=which, progress=self._progress):
                self.progress.end()
                if not (self.write and self._repair(tenant_id, checked)):
                    self._tell(checked)
                    left += 1
        except ChimewayError as error:
            raise CommandError(error.message) from error
        self.progress.end()
        runs, lines = self.seen
        if not left:
            self.stdout.write(f"Equal: {runs} runs rebuilt from {lines} transitions of {slug}.")
        return left

    def _tell(self, checked: Checked) -> None:
        for fault in checked.rebuilt.faults:
            self.stdout.write(f"run {fault.run} seq {fault.seq}: {fault.code}. {fault.message}")
        for seq in checked.bad_snapshots:
            self.stdout.write(f"run {checked.rebuilt.public_id} seq {seq}: the snapshot differs from the trace.")

    def _repair(self, tenant_id: int, checked: Checked) -> bool:
        """Whether the run is as its trace says from now on."""
        run = checked.rebuilt.public_id
        dropped = drop_snapshots(tenant_id=tenant_id, public_id=run, seqs=checked.bad_snapshots)
        if checked.rebuilt.faults and not checked.rebuilt.is_repairable:
            return False
        with recorded(tenant_id, "rebuild", self.options, lambda: _run(tenant_id, run), str(run)):
            repair_run(tenant_id=tenant_id, public_id=run)
        state = checked.rebuilt.state
        what = f"{state.state} at {state.step or 'its start'}" if checked.rebuilt.faults else "unchanged"
        self.stdout.write(f"run {run}: {what}, {dropped} snapshots dropped.")
        return True

    def _progress(self, runs: int, lines: int) -> None:
        self.seen = runs, lines
        self.progress.tell(f"{runs} runs, {lines} transitions")


def _run(tenant_id: int, public_id: Any) -> list[Run]:
    return list(Run.objects.for_tenant(tenant_id).filter(public_id=public_id))
