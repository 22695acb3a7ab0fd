"""Start, list and control runs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from workflows.management.arguments import add_tenant
from workflows.management.recording import in_the_name
from workflows.management.run_bulk import BulkControl, CancelKey
from workflows.management.run_changing import CHANGES
from workflows.management.run_controlling import CONTROLS
from workflows.management.run_files import FILES
from workflows.management.run_replaying import ReplayRun
from workflows.management.run_showing import ShowRun
from workflows.management.run_starting import ListRuns, StartRuns
from workflows.management.run_state import StateAt
from workflows.management.run_sticky import STICKY

MORE = (*CHANGES, StateAt(), ReplayRun(), BulkControl(), CancelKey(), *STICKY)
VERBS = {verb.name: verb for verb in (StartRuns(), ListRuns(), ShowRun(), *CONTROLS, *MORE, *FILES)}


class Command(BaseCommand):
    help = f"Do something with runs: {', '.join(VERBS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in VERBS.values():
            own = parsers.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            add_tenant(own)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            with in_the_name(tenant_id, f"runs {verb}", options):
                for line in VERBS[verb].lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(f"{error.message} {json.dumps(error.detail)}") from error
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
