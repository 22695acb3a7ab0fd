"""Prove traces: complete, unchanged, and folding to the state that is stored."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from tenants.management.commands.tenant import existing_tenant
from workflows.errors import RunNotFound
from workflows.explain.wording import counted
from workflows.management.arguments import add_tenant, public_id
from workflows.verify import verify_trace


class Command(BaseCommand):
    help = (
        "Verify the hash chain of traces and that folding them gives the stored state. Names run and seq of whatever "
        "was tampered with, and then exits with 1. The service may be running meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_tenant(parser)
        which = parser.add_mutually_exclusive_group()
        which.add_argument("--run", type=public_id, metavar="ID", help="Only this run.")
        which.add_argument("--all", action="store_true", help="All runs of the tenant (the default).")

    def handle(self, *, tenant: str, run: Any, **options: Any) -> None:
        faults, seen = 0, (0, 0)

        def progress(runs: int, transitions: int) -> None:
            nonlocal seen
            seen = runs, transitions
            if options["verbosity"] > 0:
                self.stderr.write(f"{runs} runs, {transitions} transitions", ending="\r")

        try:
            for fault in verify_trace(tenant_id=existing_tenant(tenant).pk, public_id=run, progress=progress):
                faults += 1
                self.stdout.write(f"run {fault.run} seq {fault.seq}: {fault.code}. {fault.message}")
        except RunNotFound as error:
            raise CommandError(error.message) from error
        if options["verbosity"] > 0:
            self.stderr.write("")
        counts = f"{counted(seen[0], 'run')} and {counted(seen[1], 'transition')} of {tenant}"
        if faults:
            raise CommandError(f"{counted(faults, 'fault')} in {counts}.")
        self.stdout.write(f"Intact: {counts}.")
