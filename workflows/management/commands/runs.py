"""Start, list, cancel, wake, pause and resume runs."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from tenants.scope import tenant_scope
from workflows.management.arguments import add_tenant, instant, public_id
from workflows.models import Run
from workflows.services.control import cancel_runs, pause_runs, resume_runs, wake_runs
from workflows.services.start import NewRun, start_runs
from workflows.states import Cause, RunState

_CONTROLS = {"cancel": cancel_runs, "wake": wake_runs, "pause": pause_runs, "resume": resume_runs}


class Command(BaseCommand):
    help = "Start, list, cancel, wake, pause and resume runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
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
        for verb in verbs.choices.values():
            add_tenant(verb)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            if verb in _CONTROLS:
                self._control(verb, tenant_id, options)
            else:
                {"start": self._start, "list": self._list}[verb](tenant_id, options)
        except ChimewayError as error:
            raise CommandError(f"{error.message} {json.dumps(error.detail)}") from error

    def _start(self, tenant_id: int, options: dict[str, Any]) -> None:
        correlation = dict(pair.partition("=")[::2] for pair in options["correlation"])
        runs = [
            NewRun(subject, correlation, options["data"], cause=Cause.OPERATOR, cause_ref="command line")
            for subject in options["subjects"]
        ]
        for started in start_runs(tenant_id=tenant_id, definition_key=options["workflow"], runs=runs):
            self.stdout.write(str(started.public_id))

    def _list(self, tenant_id: int, options: dict[str, Any]) -> None:
        asked = {"definition_key": options["workflow"], "state": options["state"], "subject": options["subject"]}
        with tenant_scope(tenant_id):
            rows = Run.objects.for_tenant(tenant_id).filter(**{name: value for name, value in asked.items() if value})
            if options["waiting_on"]:
                rows = rows.waiting_on(options["waiting_on"])
            for run in rows.order_by("-id")[: options["limit"]]:
                self.stdout.write(
                    f"{run.public_id}  {run.state:<9}  {run.definition_key}  {run.step or '-'}  {run.subject}"
                )

    def _control(self, verb: str, tenant_id: int, options: dict[str, Any]) -> None:
        if len(options["reason"]) > 64:
            raise CommandError("The reason has more than 64 characters.")
        verdicts = _CONTROLS[verb](
            tenant_id=tenant_id,
            public_ids=options["runs"],
            cause=Cause.OPERATOR,
            cause_ref=options["by"] or "command line",
            reason=options["reason"],
            **({"until": options["until"]} if verb == "pause" else {}),
        )
        for one in verdicts:
            in_flight = f", in flight: {', '.join(one.in_flight)}" if one.in_flight else ""
            why = f" ({one.why})" if one.why else ""
            self.stdout.write(f"{one.public_id}  {one.verdict}, {one.state}{in_flight}{why}")
