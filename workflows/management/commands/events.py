"""Subscribe to events, look at them and send them again."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from tenants.management.commands.tenant import existing_tenant
from workflows.management.arguments import add_tenant
from workflows.management.event_verbs import VERBS
from workflows.management.recording import in_the_name
from workflows.models import EventSubscription


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
            tenant_id = existing_tenant(tenant).pk
            with in_the_name(tenant_id, f"events {verb}", options, lambda: _named(tenant_id, options)):
                for line in VERBS[verb].lines(tenant_id, options):
                    self.stdout.write(line)
        except ChimewayError as error:
            raise CommandError(f"{error.message} {json.dumps(error.detail)}") from error


def _named(tenant_id: int, options: dict[str, Any]) -> list[EventSubscription]:
    return list(EventSubscription.objects.filter(tenant_id=tenant_id, key=options["key"]))
