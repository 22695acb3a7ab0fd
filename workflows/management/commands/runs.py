"""Start, list and control runs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
<<<<<<< HEAD
from workflows.management.arguments import add_tenant
from workflows.management.run_controlling import CONTROLS
from workflows.management.run_starting import ListRuns, StartRuns
=======
from tenants.scope import tenant_scope
from workflows.management.arguments import add_tenant, instant, public_id
from workflows.management.run_files import FILE_VERBS, add_file_verbs
from workflows.models import Run
from workflows.services.control import cancel_runs, pause_runs, resume_runs, wake_runs
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause, RunState
>>>>>>> 71b4226 (wip)

VERBS = {verb.name: verb for verb in (StartRuns(), ListRuns(), *CONTROLS)}


class Command(BaseCommand):
    help = f"Do something with runs: {', '.join(VERBS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
<<<<<<< HEAD
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in VERBS.values():
            own = parsers.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            add_tenant(own)
=======
        verbs = parser.add_subparsers(dest="verb", required=True)
        start = verbs.add_parser("start", help="Start a run for each subject.")
        start.add_argument("workflow", metavar="KEY", help="The key of a published definition.")
        start.add_argument("subjects", nargs="+", metavar="SUBJECT")
        start.add_argument(
            "--correlation", action="append", default=[], metavar="NAME=VALUE", help="Any number of them."
        )
        start.add_argument(
            "--data", type=json.loads, default={}, metavar="JSON", help="What templates and conditions see."
        )
        shown = verbs.add_parser("list", help="List runs, newest first.")
        shown.add_argument("--workflow", metavar="KEY")
        shown.add_argument("--state", choices=RunState.values)
        shown.add_argument("--subject")
        shown.add_argument("--waiting-on", metavar="SIGNAL")
        shown.add_argument("--limit", type=int, default=50)
        for name, text in (
            ("cancel", "End runs."),
            ("wake", "End the open waits of runs, as though their time had come."),
            ("pause", "Hold runs where they stand."),
            ("resume", "Let paused runs go on."),
        ):
            control = verbs.add_parser(name, help=text)
            control.add_argument("runs", nargs="+", type=public_id, metavar="RUN")
            control.add_argument("--reason", required=True, help="At most 64 characters; the trace keeps it.")
            control.add_argument("--by", default="", metavar="NAME", help="Who asks for it.")
            if name == "pause":
                control.add_argument("--until", type=instant, metavar="TIME", help="When they go on by themselves.")
        add_file_verbs(verbs)
        for verb in verbs.choices.values():
            add_tenant(verb)
>>>>>>> 71b4226 (wip)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        try:
<<<<<<< HEAD
            for line in VERBS[verb].lines(existing_tenant(tenant).pk, options):
                self.stdout.write(line)
=======
            if verb in _CONTROLS:
                self._control(verb, tenant_id, options)
            elif verb in FILE_VERBS:
                FILE_VERBS[verb](tenant_id, options, self.stdout)
            else:
                {"start": self._start, "list": self._list}[verb](tenant_id, options)
>>>>>>> 71b4226 (wip)
        except ChimewayError as error:
            raise CommandError(f"{error.message} {json.dumps(error.detail)}") from error
