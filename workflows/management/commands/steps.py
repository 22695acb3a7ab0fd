"""Steps that work outside: those whose outcome is unknown, and attempts that somebody makes by hand."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from tenants.scope import tenant_scope
from workflows.management.arguments import add_tenant, at_most
from workflows.management.attempt_verbs import ATTEMPTS
from workflows.management.recording import in_the_name
from workflows.models import StepRun
from workflows.models.step_run import StepRunStatus
from workflows.services.unknown import settle_unknown
from workflows.states import Cause

_BY_HAND = {one.name: one for one in ATTEMPTS}


class Command(BaseCommand):
    help = "List the steps whose outcome is unknown and settle them; begin and end attempts by hand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        shown = verbs.add_parser("unknown", help="List steps whose outcome is unknown, oldest first.")
        shown.add_argument("--limit", type=at_most, default=50)
        settle = verbs.add_parser("settle", help="Say what became of a step whose outcome is unknown.")
        settle.add_argument("key", metavar="KEY", help="The effect key, as `unknown` lists it.")
        settle.add_argument("outcome", help="A word of the step's kind, or retry: it did not take effect.")
        settle.add_argument("--reason", required=True, help="How that is known; the trace keeps it.")
        settle.add_argument("--revision", type=int, metavar="N", help="Only if the run still stands there.")
        settle.add_argument("--by", default="", metavar="NAME", help="Who says so.")
        for one in ATTEMPTS:
            one.arguments(verbs.add_parser(one.name, help=one.help))
        for verb in verbs.choices.values():
            add_tenant(verb)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            named = options | ({"by": options["worker"]} if "worker" in options else {})
            with in_the_name(tenant_id, f"steps {verb}", named, lambda: _named(tenant_id, options["key"])):
                if verb in _BY_HAND:
                    for line in _BY_HAND[verb].lines(tenant_id, options):
                        self.stdout.write(line)
                else:
                    {"unknown": self._unknown, "settle": self._settle}[verb](tenant_id, options)
        except ChimewayError as error:
            raise CommandError(error.line) from error

    def _unknown(self, tenant_id: int, options: dict[str, Any]) -> None:
        with tenant_scope(tenant_id):
            rows = StepRun.objects.for_tenant(tenant_id).filter(status=StepRunStatus.UNKNOWN).order_by("id")
            for row in rows[: options["limit"]]:
                self.stdout.write(f"{row.key}  {row.kind}  since {row.finished_at:%Y-%m-%dT%H:%M:%SZ}")

    def _settle(self, tenant_id: int, options: dict[str, Any]) -> None:
        settled = settle_unknown(
            tenant_id=tenant_id,
            key=options["key"],
            outcome=options["outcome"],
            reason=options["reason"],
            cause=Cause.OPERATOR,
            cause_ref=options["by"] or "command line",
            expected_revision=options["revision"],
        )
        self.stdout.write(f"{settled.key}  {settled.status}")


def _named(tenant_id: int, key: str) -> list[StepRun]:
    return list(StepRun.objects.for_tenant(tenant_id).filter(key=key))
