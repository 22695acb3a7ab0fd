"""Subscribe to events, look at them and send them again."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from workflows.management.arguments import add_tenant
from workflows.management.event_verbs import VERBS


class Command(BaseCommand):
    help = "Subscribe to events, look at them and send them again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        for verb in VERBS.values():
            own = verbs.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            add_tenant(own)

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        try:
            for line in VERBS[verb].lines(existing_tenant(tenant).pk, options):
                self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(f"{error.message} {json.dumps(error.detail)}") from error
