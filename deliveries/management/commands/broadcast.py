"""manage.py broadcast create|preview|start|show|list|cancel|report"""

import json
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from chimeway_py.errors import ChimewayError
from deliveries.management.broadcast_verbs import Cancel, Create, List, Preview, Report, Show, Start
from deliveries.models import Broadcast
from tenants.audit.commands import recorded
from tenants.management.commands.tenant import existing_tenant
from tenants.scope import tenant_scope

VERBS = {verb.name: verb for verb in (Create(), Preview(), Start(), Show(), List(), Cancel(), Report())}


class Command(BaseCommand):
    help = f"Do something with broadcasts: {', '.join(VERBS)}."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parsers = parser.add_subparsers(dest="verb", required=True)
        for verb in VERBS.values():
            own = parsers.add_parser(verb.name, help=verb.help)
            verb.arguments(own)
            own.add_argument("--tenant", required=True, metavar="SLUG", help="Whose broadcasts these are.")

    def handle(self, *, verb: str, tenant: str, **options: Any) -> None:
        tenant_id = existing_tenant(tenant).pk
        try:
            with _in_the_name(tenant_id, verb, options):
                for line in VERBS[verb].lines(tenant_id, options):
                    self.stdout.write(line)
        except (ChimewayError, OSError) as error:
            detail = f" {json.dumps(error.detail)}" if isinstance(error, ChimewayError) and error.detail else ""
            raise CommandError(f"{error}{detail}") from error


def _in_the_name(tenant_id: int, verb: str, options: Mapping[str, Any]) -> AbstractContextManager[None]:
    """Record what is done inside. Verbs without `--by` only look."""
    if "by" not in options:
        return nullcontext()
    with tenant_scope(tenant_id):
        mine = Broadcast.objects.filter(tenant_id=tenant_id)
        rows = list(mine.filter(public_id=options["id"])) if "id" in options else []
    return recorded(tenant_id, f"broadcast {verb}", options, rows, ref=str(options.get("workflow", "")))
