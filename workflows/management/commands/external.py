"""External work: list what is mirrored, show one piece with the step that waits, and say what was observed."""

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from workflows.management.arguments import add_tenant, at_most, members
from workflows.management.recording import in_the_name
from workflows.models import ExternalWork
from workflows.models.external_work import ExternalStatus
from workflows.services.external import find_step_by_external_id, list_external, observe_external
from workflows.states import Cause


class Command(BaseCommand):
    help = "List, show and observe work that others do for runs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listed = verbs.add_parser("list", help="List it, newest first.")
        listed.add_argument("--kind", default="")
        listed.add_argument("--status", default="", choices=ExternalStatus.values)
        listed.add_argument("--limit", type=at_most, default=50)
        shown = verbs.add_parser("show", help="Show one piece, and the step that waits for it.")
        observed = verbs.add_parser("observe", help="Say what was observed. An end is final.")
        for verb in (shown, observed):
            verb.add_argument("kind", metavar="KIND")
            verb.add_argument("external_id", metavar="ID")
        observed.add_argument("status", help="running, succeeded or failed.")
        observed.add_argument("--error", default="", help="A code, never a value.")
        observed.add_argument("--data", type=members, metavar="JSON", help="With an end: the answer of the step.")
        observed.add_argument("--by", default="", metavar="NAME", help="Who says so.")
        for verb in verbs.choices.values():
            add_tenant(verb)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        lines = {"list": _list, "show": _show, "observe": _observe}[verb]
        tenant_id = existing_tenant(tenant).pk
        try:
            with in_the_name(tenant_id, f"external {verb}", options, lambda: _named(tenant_id, options)):
                for line in lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(error.line) from error


def _list(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    asked = {name: options[name] for name in ("kind", "status", "limit")}
    yield from map(_line, list_external(tenant_id=tenant_id, **asked))


def _show(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    work = find_step_by_external_id(tenant_id=tenant_id, kind=options["kind"], external_id=options["external_id"])
    yield _line(work)
    yield f"  observed  {work.observations} times, {work.late_observations} after its end, last {work.observed_at}"
    yield f"  ended     {work.ended_at or 'not yet'}"
    yield f"  error     {work.error or 'none'}"


def _observe(tenant_id: int, options: dict[str, Any]) -> Iterator[str]:
    said = {name: options[name] for name in ("kind", "external_id", "status", "error", "data")}
    by = options["by"] or "command line"
    seen = observe_external(tenant_id=tenant_id, cause=Cause.OPERATOR, cause_ref=by, **said)
    work = find_step_by_external_id(tenant_id=tenant_id, kind=said["kind"], external_id=said["external_id"])
    yield f"{seen.verdict}: {_line(work)}"


def _named(tenant_id: int, options: dict[str, Any]) -> list[ExternalWork]:
    said = {name: options[name] for name in ("kind", "external_id")}
    return list(ExternalWork.objects.filter(tenant_id=tenant_id, **said))


def _line(work: ExternalWork) -> str:
    waits = f"{work.run.public_id} {work.step_run.step}" if work.run and work.step_run else "no step waits"
    return f"{work.kind} {work.external_id}  {work.status}  {waits}"
