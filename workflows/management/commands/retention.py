"""Say how long what is kept, plan and carry out prunes, hold what must stay."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.audit.commands import Rows
from tenants.management.commands.tenant import existing_tenant
from workflows.management.arguments import add_tenant
from workflows.management.recording import in_the_name
from workflows.management.retention_verbs import VERBS
from workflows.models import LegalHold, RetentionPolicy


class Command(BaseCommand):
    help = f"How long what is kept: {', '.join(VERBS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in VERBS.values():
            own = parsers.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            add_tenant(own)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            with in_the_name(tenant_id, f"retention {verb}", options, lambda: _kept(tenant_id, verb)):
                for line in VERBS[verb].lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(f"{error.message} {json.dumps(error.detail)}") from error


def _kept(tenant_id: int, verb: str) -> Rows:
    """What a verb decides about keeping: a policy, or a hold."""
    decided = RetentionPolicy if verb == "set" else LegalHold
    return list(decided.objects.filter(tenant_id=tenant_id))
