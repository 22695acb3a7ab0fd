"""Prove traces: complete, unchanged, and folding to the state that is stored."""

import uuid
from argparse import ArgumentParser
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.management.commands.tenant import existing_tenant
from tenants.services import tenant_list
from workflows.errors import RunNotFound
from workflows.explain.wording import counted
from workflows.management.arguments import add_tenant, public_id
from workflows.management.progress import Progress
from workflows.retention.errors import TombstoneNotFound
from workflows.retention.tombstones import count_tombstones, tombstone_of
from workflows.verify import verify_trace


@dataclass(slots=True)
class _Totals:
    tenant: str
    runs: int = 0
    transitions: int = 0
    faults: int = 0

    def __str__(self) -> str:
        return f"{counted(self.runs, 'run')} and {counted(self.transitions, 'transition')} of {self.tenant}"


class Command(BaseCommand):
    help = (
        "Verify the hash chain of traces and that folding them gives the stored state, of one tenant or of all. Names "
        "run and seq of whatever was tampered with, and then exits with 1. The service may be running meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_tenant(parser, required=False)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--run", type=public_id, metavar="ID", help="Only this run of the tenant.")
        which.add_argument("--all", action="store_true", help="All runs of the tenant (the default).")

    def handle(self, *, tenant: str | None, run: uuid.UUID | None, **options: Any) -> None:
        if run is not None and tenant is None:
            raise CommandError("--run needs --tenant.")
        asked = tenant_list() if tenant is None else [(existing_tenant(tenant).pk, tenant)]
        found = [self._verify(tenant_id, slug, run, options["verbosity"] > 0) for tenant_id, slug in asked]
        tampered = [totals for totals in found if totals.faults]
        if tampered:
            told = "; ".join(f"{counted(totals.faults, 'fault')} in {totals}" for totals in tampered)
            raise CommandError(f"{told}.")
        if tenant is None:
            self.stdout.write(f"Intact: {counted(len(found), 'tenant')}.")

    def _verify(self, tenant_id: int, slug: str, run: uuid.UUID | None, is_shown: bool) -> _Totals:
        """The totals of one tenant, whose faults and whose progress are written as they are found."""
        totals, shown = _Totals(slug), Progress(self.stderr, shown=is_shown)

        def progress(runs: int, transitions: int) -> None:
            totals.runs, totals.transitions = runs, transitions
            shown.tell(f"{slug}: {runs} runs, {transitions} transitions")

        try:
            for fault in verify_trace(tenant_id=tenant_id, public_id=run, progress=progress):
                totals.faults += 1
                shown.end()
                self.stdout.write(f"{slug}: run {fault.run} seq {fault.seq}: {fault.code}. {fault.message}")
        except RunNotFound as error:
            if run is None or not self._show_tombstone(tenant_id, run):
                raise CommandError(error.message) from error
            return totals
        shown.end()
        if not totals.faults:
            stones = count_tombstones(tenant_id=tenant_id) if run is None else 0
            buried = f"; {counted(stones, 'tombstone')}" if stones else ""
            self.stdout.write(f"Intact: {totals}{buried}.")
        return totals

    def _show_tombstone(self, tenant_id: int, run: uuid.UUID) -> bool:
        """Whether there is one to show, instead of a trace."""
        try:
            stone = tombstone_of(tenant_id=tenant_id, public_id=run)
        except TombstoneNotFound:
            return False
        said = f"{run} was pruned at {stone.pruned_at:%Y-%m-%d %H:%M:%S %Z} by {stone.pruned_by}: {stone.reason}."
        self.stdout.write(f"{said} It was {stone.state}; its {stone.length} lines ended in {stone.last_hash.hex()}.")
        return True
